"""Data of the Monitor page, and the replicas of the service. No Streamlit."""
