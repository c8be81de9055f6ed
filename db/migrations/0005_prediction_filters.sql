-- The filters of GET /predictions that most predictions do not pass: an index for each, so that a page of them is a few rows of it.

CREATE INDEX predictions_disagreeing_by_version ON predictions (model_version_id, created_at, id) WHERE disagrees;
CREATE INDEX predictions_labelled_by_version ON predictions (model_version_id, created_at, id) WHERE true_label IS NOT NULL;
CREATE INDEX predictions_misread ON predictions (created_at, id) WHERE true_label <> label;
