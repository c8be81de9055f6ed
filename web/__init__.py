"""Dashboard: Streamlit pages over Postgres (read only) and the inference API.

Pages are in views/. They use components/, tables/ and charts/, which know no data source. Only
data/ talks to Postgres and the API. sources.py wires all of it, app.py draws the frame.
"""
