-- Several CSV files, files that are not read again while nothing has changed, and pages of the leaderboard by index.

ALTER TABLE imports ADD COLUMN reader_version integer, ADD COLUMN seen_at timestamptz;
COMMENT ON TABLE imports IS 'One row per import of a CSV file that found something new: other content, another outcome, or an error. A file''s last row says how it stands.';
COMMENT ON COLUMN imports.file IS 'Name of the file: data.csv or data.d/NAME.csv.';
COMMENT ON COLUMN imports.digest IS 'sha256 of the file; null when it could not be read, or, without an error, when it was gone.';
COMMENT ON COLUMN imports.reader_version IS 'Version of the code that read it; a newer one reads every file again.';
COMMENT ON COLUMN imports.seen_at IS 'When its rows and rejects were last found to be in it: their seen_at and last_seen_at; null when it could not be imported.';
COMMENT ON COLUMN imports.rows_missing IS 'Experiments of this file that this import was the first to find in no file; they are kept and marked.';
COMMENT ON COLUMN experiments.source_file IS 'The CSV file that the row came from: data.csv or data.d/NAME.csv.';
COMMENT ON COLUMN experiments.missing_since IS 'When an import first found that no file has it any more; null while one has it.';
COMMENT ON COLUMN import_rejects.file IS 'Name of the file: data.csv or data.d/NAME.csv.';

CREATE INDEX experiments_by_test_accuracy ON experiments (((metrics ->> 'test_accuracy')::double precision) DESC NULLS LAST);
CREATE INDEX experiments_latest ON experiments ((missing_since IS NOT NULL), id DESC);
CREATE INDEX import_rejects_current ON import_rejects (file, line) WHERE resolved_at IS NULL;
COMMENT ON INDEX experiments_by_test_accuracy IS 'For ORDER BY test_accuracy DESC NULLS LAST of the leaderboard.';
COMMENT ON INDEX experiments_latest IS 'For the latest experiments first, those that are missing last.';

-- Nobody searches by the numbers of a curve, and statistics of them cost seconds; to compress them costs more than it saves.
ALTER TABLE metric_curves ALTER COLUMN steps SET STATISTICS 0, ALTER COLUMN metric_values SET STATISTICS 0;
ALTER TABLE metric_curves ALTER COLUMN steps SET STORAGE EXTERNAL, ALTER COLUMN metric_values SET STORAGE EXTERNAL;
