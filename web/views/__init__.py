"""Pages: one package per page, with show() in its page module.

The folder must not be called pages. Streamlit treats the files of such a folder next to app.py as
pages of an older kind of app until st.navigation has run. A link to /predict would then be empty
after a restart.
"""
