"""Local deployment: a virtual environment, an embedded Postgres and a supervisor for `make up`.

Starts the same modules as the containers. Imports only db's settings and servicekit. bootstrap.py
and the modules that it imports use only the standard library, because they run before any
installation.
"""
