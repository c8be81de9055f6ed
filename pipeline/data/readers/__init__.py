"""Upload readers: zip, CSV, npz and Parquet files to canonical images and labels.

They run in a sandboxed child process, `worker`. Files are untrusted.
"""
