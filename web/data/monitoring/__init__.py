"""Data of the Monitor page: detectors, alerts, references, accuracy and latency. No Streamlit."""
