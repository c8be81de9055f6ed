"""Export: `make export` writes predictions, events, labels and experiments as Parquet files.

- `relations` are the queries of the files, with the column names of the SQL views.
- `snapshot` reads all of them from one snapshot of Postgres, as Arrow record batches.
- `parquet` writes one file, in bounded memory.
- `destination` stores files in a directory or a bucket, each one whole.
- `manifest` lists the files. It is written last.
- `export` is the sequence of these steps.
"""
