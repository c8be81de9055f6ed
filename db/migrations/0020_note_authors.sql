-- Authors of notes and tags, as they named themselves.

ALTER TABLE experiments
    ADD COLUMN note_author text,
    ADD COLUMN tags_author text;
COMMENT ON COLUMN experiments.note_author IS 'Author of the current note, as the author named himself or herself. Null if unknown, for example from an MLflow client.';
COMMENT ON COLUMN experiments.tags_author IS 'Author of the last change of the tags by the dashboard or PATCH /experiments/NAME. Null if only the training code set them.';
