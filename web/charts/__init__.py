"""Charts of the pages as ECharts options, one module per chart. Pure functions, no Streamlit.

Experiment names are user data. They appear only as plain strings (series names, axis labels), never
in a template.
"""
