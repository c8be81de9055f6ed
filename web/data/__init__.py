"""Data access: inference API client, SQL queries, filter language and caches. No Streamlit."""
