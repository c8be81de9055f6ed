"""Learning loop: runs, datasets, uploads and label requests from SQL, and their API calls."""
