"""What `make up` needs and nothing else: a virtual environment, an embedded Postgres, a supervisor of the services."""
