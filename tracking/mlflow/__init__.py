"""MLflow's tracking REST API over the storage of runs.

An MLflow experiment is a project, and an MLflow run is a run. doc/tracking.md lists what is
supported.
"""
