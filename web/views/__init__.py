"""One module per page; each has show(), which draws it.

The folder is not called pages: for a folder of that name beside app.py Streamlit runs its files as
the pages of an older kind of app until st.navigation was called once, so a link to /predict would
show nothing after a restart.
"""
