"""Every prediction as a journal record, and the records as rows of Postgres."""
