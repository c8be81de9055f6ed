"""Pictures of diagnostics. Pure functions, no Streamlit."""
