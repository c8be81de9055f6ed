"""CSV reading: files of experiments in, rows and rejects out. Needs no database.

- `files` finds the files of an import.
- `reader` reads one, over `lines`, `columns` and `row`.
- `number_cell` and `curve_cell` parse cells. `reject_reasons` has the texts.
"""
