"""What `make up` needs and nothing else.

A virtual environment, an embedded Postgres, a supervisor of the services.
"""
