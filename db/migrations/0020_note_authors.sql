-- Authors of notes and tags, by the names that they gave.

ALTER TABLE experiments
    ADD COLUMN note_author text,
    ADD COLUMN tags_author text;
COMMENT ON COLUMN experiments.note_author IS 'Name that the author of the current note gave. Null if unknown, for example from an MLflow client.';
COMMENT ON COLUMN experiments.tags_author IS 'Author of the last change of the tags by the dashboard or PATCH /experiments/NAME. Null if only the training code set them.';
