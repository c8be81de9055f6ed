"""Data access: API client, SQL queries, filter language, caches and label correction.

No module knows Streamlit.
"""
