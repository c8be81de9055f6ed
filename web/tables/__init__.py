"""Tables of the pages as data frames. Pure functions, no Streamlit."""
