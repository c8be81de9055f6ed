"""Server of the dashboard: Streamlit as an ASGI application, with compressed static files."""
