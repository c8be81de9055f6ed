"""MLflow's tracking REST API over the storage of runs."""
