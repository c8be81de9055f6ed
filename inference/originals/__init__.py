"""Original images as clients sent them: storage, archiving, retention and retrieval.

Knows the prediction log, which carries originals until they are archived, and the database.
"""
