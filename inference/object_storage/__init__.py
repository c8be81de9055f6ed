"""Cloud object storage by obstore: bucket URLs, credentials, and reasons for failures.

Shared by the storage of originals and the model registry. Knows neither of them.
"""
