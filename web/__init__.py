"""Dashboard: Streamlit pages over Postgres (read only) and the inference API.

Pages are in views/. They use components/, tables/ and charts/; tables and charts know no data
source. Only data/ talks to Postgres and the API. sources.py wires it all, app.py draws the frame.
"""
