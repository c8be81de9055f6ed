-- What was read wrong, by model: without an index of its own, all that people labelled of a model is read to find the few.

CREATE INDEX predictions_misread_by_version ON predictions (model_version_id, created_at, id) WHERE (true_label <> label) IS TRUE;
COMMENT ON INDEX predictions_misread_by_version IS 'For GET /predictions?experiment_name=...&wrong=true.';

-- Of two columns that differ, the planner believes that nearly all rows do, and passes by an index of those that do. It knows better of
-- what it has statistics for, in the form (true_label <> label) IS TRUE. The index that was made for this stands in the other form.
CREATE STATISTICS predictions_wrong ON ((true_label <> label)) FROM predictions;
COMMENT ON STATISTICS predictions_wrong IS 'How many labelled predictions are wrong: the filters wrong=true and wrong=false of GET /predictions.';
DROP INDEX predictions_misread;
CREATE INDEX predictions_misread ON predictions (created_at, id) WHERE (true_label <> label) IS TRUE;
COMMENT ON INDEX predictions_misread IS 'For GET /predictions?wrong=true.';
