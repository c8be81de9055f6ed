"""Evaluation runs: labeled sets, background runner and result tables. No Streamlit.

The statistics are in the top-level package evaluation.
"""
