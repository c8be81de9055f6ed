"""CSV reading: files of experiments in, rows and rejects out. Needs no database.

- `files` finds the files of an import.
- `metric_columns` reads all of them to find the columns that hold metrics.
- `reader` reads one, over `cells`, `lines`, `header`, `columns` and `row`.
- `number_cell`, `metric_cell` and `curve_cell` parse cells. `reject_reasons` has the texts.
"""
