"""Streamlit page with a heading and one curve, to measure Streamlit's own part of the page Run."""

import math

import streamlit as st

STEPS = 1_000

st.title("Run")
with st.container(key="run_live"):  # as on the page Run
    st.echarts_chart(
        {
            "xAxis": {"type": "value"},
            "yAxis": {"type": "value"},
            "series": [
                {
                    "type": "line",
                    "data": [[step, math.exp(-step / 200)] for step in range(STEPS)],
                }
            ],
        },
        height=380,
    )
