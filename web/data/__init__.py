"""Sources of the dashboard: the API client, SQL queries and caches."""
