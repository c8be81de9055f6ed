"""Durable prediction log: a journal on disk, shipped to Postgres in the background.

The service keeps serving while Postgres is down, and the log catches up when it returns. No
acknowledged prediction is lost when Postgres or the service is killed. Knows models only as
versions to record, and the database only as tables to write.
"""
