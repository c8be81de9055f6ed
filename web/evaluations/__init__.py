"""Evaluations: labeled sets, background runner and result tables. No Streamlit.

The statistics are in the top-level package evaluation. This folder must have another name, because
Streamlit puts the folder of app.py in front of sys.path.
"""
