-- Comments of tables, views, columns and functions, rewritten to explain themselves: a comment of a view's column repeats the
-- meaning, unit and range instead of a reference to the table. No other change.

COMMENT ON TABLE experiments IS 'Experiments of data.csv and data.d/*.csv, one row each. A row that leaves the files stays here with missing_since.';
COMMENT ON COLUMN experiments.id IS 'Identifier. A later import has a higher one.';
COMMENT ON COLUMN experiments.name IS 'Unique name: column Experiment Name of the CSV file, experiment_name of the API.';
COMMENT ON COLUMN experiments.task IS 'Classification task, for example mnist: column Task of the CSV file, mnist by default.';
COMMENT ON COLUMN experiments.learning_rate IS 'Learning rate of the optimizer, 0 or positive.';
COMMENT ON COLUMN experiments.momentum IS 'Momentum of the optimizer, 0 or positive.';
COMMENT ON COLUMN experiments.params IS 'Additional columns of the CSV file that are not metrics, by name in snake_case: params->>''architecture''.';
COMMENT ON COLUMN experiments.metrics IS 'Additional numeric columns of the CSV file with a metric''s name, by name in snake_case: metrics->''test_accuracy''. Accuracies are fractions, 0 to 1.';
COMMENT ON COLUMN experiments.source_file IS 'CSV file of the row: data.csv or data.d/NAME.csv.';
COMMENT ON COLUMN experiments.source_line IS 'First line of the row in that file. The header is line 1.';
COMMENT ON COLUMN experiments.content_digest IS 'SHA-256 of the row''s content as hex. An import writes only rows with another digest.';
COMMENT ON COLUMN experiments.created_at IS 'Time of the first import.';
COMMENT ON COLUMN experiments.updated_at IS 'Time of the last change of its content.';
COMMENT ON COLUMN experiments.seen_at IS 'Time of the last import that found it in a file.';
COMMENT ON COLUMN experiments.missing_since IS 'Time of the first import that found it in no file, null while a file has it.';

COMMENT ON TABLE metric_curves IS 'Metrics over training steps, one row per curve, with a summary. The view experiment_metrics has one row per point.';
COMMENT ON COLUMN metric_curves.experiment_id IS 'Experiment of the curve.';
COMMENT ON COLUMN metric_curves.metric IS 'Metric: the column of the CSV file in snake_case, for example loss or validation_loss.';
COMMENT ON COLUMN metric_curves.steps IS 'Optimizer steps, strictly increasing.';
COMMENT ON COLUMN metric_curves.metric_values IS 'Values of the metric, one per step.';
COMMENT ON COLUMN metric_curves.points IS 'Number of points.';
COMMENT ON COLUMN metric_curves.first_step IS 'First step.';
COMMENT ON COLUMN metric_curves.last_step IS 'Last step.';
COMMENT ON COLUMN metric_curves.last_value IS 'Value at the last step.';
COMMENT ON COLUMN metric_curves.best_value IS 'Best value: the highest of an accuracy or score, else the lowest.';
COMMENT ON COLUMN metric_curves.best_step IS 'First step with the best value.';

COMMENT ON TABLE imports IS 'Imports of a CSV file with a new content, result or error, one row each. The last row of a file has its current state.';
COMMENT ON COLUMN imports.id IS 'Identifier. A later import has a higher one.';
COMMENT ON COLUMN imports.file IS 'Name of the file: data.csv or data.d/NAME.csv.';
COMMENT ON COLUMN imports.digest IS 'SHA-256 of the file as hex. Null when it was unreadable, or, without an error, when it did not exist.';
COMMENT ON COLUMN imports.started_at IS 'Start of the import.';
COMMENT ON COLUMN imports.finished_at IS 'End of the import, or of the last later import with the same content and result.';
COMMENT ON COLUMN imports.reader_version IS 'Version of the CSV reader. A newer reader reads every file again.';
COMMENT ON COLUMN imports.seen_at IS 'Time at which its rows and rejects were last found in the file, equal to their seen_at and last_seen_at. Null when it was not imported.';
COMMENT ON COLUMN imports.rows_read IS 'Number of rows in the file, without its header and blank lines.';
COMMENT ON COLUMN imports.rows_added IS 'Number of rows with a new experiment.';
COMMENT ON COLUMN imports.rows_updated IS 'Number of rows with changed content.';
COMMENT ON COLUMN imports.rows_unchanged IS 'Number of rows with the content that was already stored.';
COMMENT ON COLUMN imports.rows_missing IS 'Number of experiments of this file that were newly found in no file. They are kept with missing_since.';
COMMENT ON COLUMN imports.rows_rejected IS 'Number of rows that were not imported. The first 10,000 of a file are in import_rejects.';
COMMENT ON COLUMN imports.error IS 'Reason why the whole file was not imported, null when it was.';

COMMENT ON TABLE import_rejects IS 'Rows of CSV files that were not imported, with their text. Current ones: WHERE resolved_at IS NULL.';
COMMENT ON COLUMN import_rejects.id IS 'Identifier. A later reject has a higher one.';
COMMENT ON COLUMN import_rejects.file IS 'Name of the file: data.csv or data.d/NAME.csv.';
COMMENT ON COLUMN import_rejects.line IS 'First line of the row. The header is line 1.';
COMMENT ON COLUMN import_rejects.column_name IS 'Column with the error, null when the row as a whole is invalid.';
COMMENT ON COLUMN import_rejects.reason IS 'Error, and how to fix it.';
COMMENT ON COLUMN import_rejects.raw IS 'Text of the row. Bytes that are not valid UTF-8 are escaped.';
COMMENT ON COLUMN import_rejects.first_seen_at IS 'Time of the first import with this reject.';
COMMENT ON COLUMN import_rejects.last_seen_at IS 'Time of the last import with this reject.';
COMMENT ON COLUMN import_rejects.resolved_at IS 'Time of the first import without this reject, null while it is current.';

COMMENT ON VIEW experiment_metrics IS 'Points of all curves: SELECT step, value FROM experiment_metrics WHERE experiment_name = ''...'' AND metric = ''loss'' ORDER BY step.';
COMMENT ON COLUMN experiment_metrics.experiment_id IS 'Identifier of the experiment.';
COMMENT ON COLUMN experiment_metrics.experiment_name IS 'Name of the experiment.';
COMMENT ON COLUMN experiment_metrics.metric IS 'Metric: the column of the CSV file in snake_case, for example loss or validation_loss.';
COMMENT ON COLUMN experiment_metrics.step IS 'Optimizer step.';
COMMENT ON COLUMN experiment_metrics.value IS 'Value of the metric at that step.';

COMMENT ON VIEW loss_curves IS 'Training and validation loss by step: SELECT step, value FROM loss_curves WHERE experiment_name = ''...'' AND metric = ''loss'' ORDER BY step.';
COMMENT ON COLUMN loss_curves.experiment_id IS 'Identifier of the experiment.';
COMMENT ON COLUMN loss_curves.experiment_name IS 'Name of the experiment.';
COMMENT ON COLUMN loss_curves.metric IS 'loss for the training loss, or validation_loss.';
COMMENT ON COLUMN loss_curves.step IS 'Optimizer step.';
COMMENT ON COLUMN loss_curves.value IS 'Cross-entropy in nats.';

COMMENT ON VIEW leaderboard IS 'Experiments with their best and last training loss: SELECT * FROM leaderboard ORDER BY test_accuracy DESC NULLS LAST.';
COMMENT ON COLUMN leaderboard.experiment_id IS 'Identifier of the experiment. A later import has a higher one.';
COMMENT ON COLUMN leaderboard.experiment_name IS 'Name of the experiment.';
COMMENT ON COLUMN leaderboard.task IS 'Classification task, for example mnist.';
COMMENT ON COLUMN leaderboard.learning_rate IS 'Learning rate of the optimizer, 0 or positive.';
COMMENT ON COLUMN leaderboard.momentum IS 'Momentum of the optimizer, 0 or positive.';
COMMENT ON COLUMN leaderboard.architecture IS 'Column Architecture of the CSV file, null without one.';
COMMENT ON COLUMN leaderboard.test_accuracy IS 'Column Test Accuracy of the CSV file as a fraction, 0 to 1, null without one.';
COMMENT ON COLUMN leaderboard.best_loss IS 'Lowest training loss of the curve.';
COMMENT ON COLUMN leaderboard.best_loss_step IS 'First step with the lowest training loss.';
COMMENT ON COLUMN leaderboard.last_loss IS 'Training loss at the last step.';
COMMENT ON COLUMN leaderboard.last_step IS 'Last step of the training loss.';
COMMENT ON COLUMN leaderboard.points IS 'Number of points of the training loss.';
COMMENT ON COLUMN leaderboard.params IS 'Additional columns of the CSV file that are not metrics, by name in snake_case.';
COMMENT ON COLUMN leaderboard.metrics IS 'Additional numeric columns of the CSV file with a metric''s name, by name in snake_case.';
COMMENT ON COLUMN leaderboard.created_at IS 'Time of the first import.';
COMMENT ON COLUMN leaderboard.updated_at IS 'Time of the last change of the experiment''s content.';
COMMENT ON COLUMN leaderboard.missing_since IS 'Time of the first import that found the experiment in no file, null while a file has it.';

COMMENT ON ROLE mlops_app IS 'Inference service: adds predictions and labels, moves aliases, deletes nothing. Statements end after 10 s.';
COMMENT ON ROLE mlops_read IS 'Dashboard, pgAdmin and SQL users: reads every table and writes none. Statements end after 10 s unless SET statement_timeout extends it.';

COMMENT ON TABLE _yoyo_migration IS 'Applied migrations of db/migrations, written by the migration library yoyo.';
COMMENT ON TABLE _yoyo_log IS 'Log of applied migrations with time and user, written by the migration library yoyo.';
COMMENT ON TABLE _yoyo_version IS 'Version of the migration library''s own tables, written by yoyo.';
COMMENT ON TABLE yoyo_lock IS 'Lock of the migration library yoyo. The set-up uses an advisory lock instead.';

COMMENT ON TABLE model_versions IS 'Contents of model versions, one row each. A version with another file or another signature is another row.';
COMMENT ON COLUMN model_versions.id IS 'Identifier, derived from name, version, digest, task, classes and signature.';
COMMENT ON COLUMN model_versions.experiment_name IS 'Experiment of the model. It may be missing in experiments.';
COMMENT ON COLUMN model_versions.version IS 'Version number: 3 for models/NAME/3, 1 for models/NAME and for a single model file.';
COMMENT ON COLUMN model_versions.digest IS 'SHA-256 of model.keras, or of model.tflite if there is no other file, as hex. Null when it was unreadable.';
COMMENT ON COLUMN model_versions.format IS 'Format that the service runs: litert.';
COMMENT ON COLUMN model_versions.task IS 'Classification task, for example mnist.';
COMMENT ON COLUMN model_versions.classes IS 'Labels in the order of the model''s outputs.';
COMMENT ON COLUMN model_versions.input IS 'Input specification: height and width in pixels, scale, invert.';
COMMENT ON COLUMN model_versions.output IS 'Output of the model: probabilities or logits. Stored predictions are always probabilities.';
COMMENT ON COLUMN model_versions.bytes IS 'Size of the LiteRT model in bytes.';
COMMENT ON COLUMN model_versions.status IS 'READY (serves predictions), LOADING, FAILED (reason has the error), or GONE (the model directory no longer has this content).';
COMMENT ON COLUMN model_versions.reason IS 'Error of a FAILED version, null for any other status.';
COMMENT ON COLUMN model_versions.parity IS 'Agreement of the LiteRT model with Keras: images, max_abs_difference, equal_argmax.';
COMMENT ON COLUMN model_versions.test_accuracy IS 'Accuracy on the task''s test images, 0 to 1, from the model''s card.';
COMMENT ON COLUMN model_versions.first_seen_at IS 'Time at which the service first found this content.';
COMMENT ON COLUMN model_versions.status_since IS 'Time of the last change of status.';

COMMENT ON TABLE images IS 'Images with a prediction, by their 28x28 pixels after preprocessing. Originals with the same pixels are one image.';
COMMENT ON COLUMN images.id IS 'Identifier: the first 128 bits of digest.';
COMMENT ON COLUMN images.digest IS 'SHA-256 of the 28x28 pixels as hex, image_digest of the API.';
COMMENT ON COLUMN images.width IS 'Width of the first original in pixels.';
COMMENT ON COLUMN images.height IS 'Height of the first original in pixels.';
COMMENT ON COLUMN images.bytes IS 'Size of the first original in bytes.';
COMMENT ON COLUMN images.media_type IS 'Media type of the first original, for example image/png, or application/json for an array.';
COMMENT ON COLUMN images.ink_share IS 'Fraction of the 28x28 pixels that are ink (above half of the range), 0 to 1.';
COMMENT ON COLUMN images.mean IS 'Mean of the 28x28 pixels, 0 to 255. Ink is high.';
COMMENT ON COLUMN images.centroid_x IS 'Column of the ink''s center of mass, 0 to 27. Null without ink.';
COMMENT ON COLUMN images.centroid_y IS 'Row of the ink''s center of mass, 0 to 27. Null without ink.';
COMMENT ON COLUMN images.border IS 'Mean of the outermost pixels, 0 to 255. It is high when the digit is cut off or not cropped.';
COMMENT ON COLUMN images.first_seen_at IS 'Time of the first prediction.';
COMMENT ON COLUMN images.original_url IS 'URL of the stored original, null when none is stored.';
COMMENT ON COLUMN images.stored_at IS 'Time at which the original was stored. Its retention time starts here.';
COMMENT ON COLUMN images.deleted_at IS 'Time at which the original was last deleted at the end of its retention time.';

COMMENT ON TABLE predictions IS 'Predictions, one row per image and model version, however many requests it had. The view prediction_log adds names.';
COMMENT ON COLUMN predictions.id IS 'Identifier, derived from image and version: prediction_id of the API.';
COMMENT ON COLUMN predictions.image_id IS 'Image of the prediction.';
COMMENT ON COLUMN predictions.model_version_id IS 'Model version of the prediction.';
COMMENT ON COLUMN predictions.task IS 'Task of the model version.';
COMMENT ON COLUMN predictions.label IS 'Predicted label, the most probable one.';
COMMENT ON COLUMN predictions.confidence IS 'Probability of the predicted label, 0 to 1.';
COMMENT ON COLUMN predictions.probabilities IS 'Probabilities of all labels, 0 to 1, in the order of model_versions.classes.';
COMMENT ON COLUMN predictions.created_at IS 'Time of the first request.';
COMMENT ON COLUMN predictions.events IS 'Number of requests. It includes events that were dropped.';
COMMENT ON COLUMN predictions.last_event_at IS 'Time of the last request.';
COMMENT ON COLUMN predictions.disagrees IS 'True when versions of the same task predict different labels for this image.';
COMMENT ON COLUMN predictions.true_label IS 'Correct label of the image, null without a row in labels.';

COMMENT ON TABLE prediction_events IS 'Answered requests, also repeated ones, with one partition per month (UTC). SELECT drop_events_before(''2026-01-01'') drops old months.';
COMMENT ON COLUMN prediction_events.id IS 'Identifier, a UUIDv7 that rises with time.';
COMMENT ON COLUMN prediction_events.at IS 'Time of the answer.';
COMMENT ON COLUMN prediction_events.prediction_id IS 'Prediction of the answer.';
COMMENT ON COLUMN prediction_events.milliseconds IS 'Time from the start of the request''s work to this answer, in milliseconds.';
COMMENT ON COLUMN prediction_events.cached IS 'True when the answer came from the cache and no model ran.';
COMMENT ON COLUMN prediction_events.request_id IS 'X-Request-Id of the request.';
COMMENT ON COLUMN prediction_events.source IS 'Client program: the first word of the User-Agent, null without one.';

COMMENT ON TABLE labels IS 'Correct labels of images. Rows are only added. The current label of an image and task has no replaced_at.';
COMMENT ON COLUMN labels.id IS 'Identifier. A later label has a higher one.';
COMMENT ON COLUMN labels.image_id IS 'Labeled image.';
COMMENT ON COLUMN labels.task IS 'Task of the label.';
COMMENT ON COLUMN labels.label IS 'Correct label.';
COMMENT ON COLUMN labels.labelled_by IS 'Name of the labeler.';
COMMENT ON COLUMN labels.labelled_at IS 'Time at which the label was set.';
COMMENT ON COLUMN labels.replaced_at IS 'Time at which another label replaced it, null while it is current.';

COMMENT ON TABLE image_votes IS 'Agreement of a task''s model versions per image, maintained by a trigger. The view disagreements adds names and votes.';
COMMENT ON COLUMN image_votes.image_id IS 'Image of the predictions.';
COMMENT ON COLUMN image_votes.task IS 'Task of the predictions.';
COMMENT ON COLUMN image_votes.versions IS 'Number of model versions that predicted the image.';
COMMENT ON COLUMN image_votes.lowest_label IS 'First predicted label in text order.';
COMMENT ON COLUMN image_votes.highest_label IS 'Last predicted label in text order.';
COMMENT ON COLUMN image_votes.disagrees IS 'True when the first and the last label differ.';
COMMENT ON COLUMN image_votes.changed_at IS 'Time at which another model version last predicted the image.';

COMMENT ON TABLE confusion_counts IS 'Labeled images by model version, correct and predicted label, maintained by triggers. The views confusion and live_accuracy add names.';
COMMENT ON COLUMN confusion_counts.model_version_id IS 'Model version of the predictions.';
COMMENT ON COLUMN confusion_counts.true_label IS 'Correct label.';
COMMENT ON COLUMN confusion_counts.predicted_label IS 'Predicted label.';
COMMENT ON COLUMN confusion_counts.images IS 'Number of images, 0 or more.';

COMMENT ON TABLE traffic IS 'Answers by minute and model version, maintained by a trigger and kept when events are dropped. The view traffic_per_minute adds names.';
COMMENT ON COLUMN traffic.minute IS 'Start of the minute.';
COMMENT ON COLUMN traffic.model_version_id IS 'Model version of the answers.';
COMMENT ON COLUMN traffic.events IS 'Number of answers.';
COMMENT ON COLUMN traffic.cached IS 'Number of answers from the cache.';
COMMENT ON COLUMN traffic.milliseconds IS 'Sum of the answers'' times in milliseconds.';

COMMENT ON FUNCTION lock_summaries IS 'Waits for other transactions that add predictions, events or labels, and blocks them until this transaction ends.';
COMMENT ON FUNCTION summarise_predictions IS 'Trigger on predictions: updates confusion_counts, image_votes, predictions.true_label and predictions.disagrees.';
COMMENT ON FUNCTION summarise_events IS 'Trigger on prediction_events: updates traffic and the counts of predictions.';
COMMENT ON FUNCTION replace_label IS 'Trigger on labels: sets replaced_at of the current label before a new one.';
COMMENT ON FUNCTION apply_label IS 'Trigger on labels: writes a new label to the predictions of its image and task, and updates confusion_counts.';
COMMENT ON FUNCTION label_prediction IS 'Stores the correct label of a prediction''s image. `replaces` must name the current label, if there is another one. outcome: stored, unchanged, conflict, no class, unknown.';
COMMENT ON FUNCTION make_events_partition IS 'Creates the partition of prediction_events for a month (UTC) and returns its name, or null if it exists.';
COMMENT ON FUNCTION drop_events_before IS 'Drops the events of whole months (UTC) that ended before a moment, and returns the names of their partitions. Predictions, labels and traffic stay.';
COMMENT ON FUNCTION count_events IS 'Adds events to the counts of predictions. Each prediction must exist and is named once.';
COMMENT ON FUNCTION count_traffic IS 'Adds events to the traffic of minutes and model versions. Each pair is named once.';
COMMENT ON FUNCTION keep_events IS 'Trigger on predictions: rejects the deletion of a prediction that has events.';

COMMENT ON VIEW prediction_log IS 'Predictions with names: SELECT * FROM prediction_log ORDER BY created_at DESC LIMIT 20.';
COMMENT ON COLUMN prediction_log.prediction_id IS 'Identifier, derived from image and version: prediction_id of the API.';
COMMENT ON COLUMN prediction_log.created_at IS 'Time of the first request.';
COMMENT ON COLUMN prediction_log.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN prediction_log.version IS 'Version number of the model.';
COMMENT ON COLUMN prediction_log.task IS 'Task of the model version.';
COMMENT ON COLUMN prediction_log.image_digest IS 'SHA-256 of the image''s 28x28 pixels as hex.';
COMMENT ON COLUMN prediction_log.label IS 'Predicted label, the most probable one.';
COMMENT ON COLUMN prediction_log.confidence IS 'Probability of the predicted label, 0 to 1.';
COMMENT ON COLUMN prediction_log.probabilities IS 'Probabilities by label, 0 to 1.';
COMMENT ON COLUMN prediction_log.true_label IS 'Correct label of the image, null without a row in labels.';
COMMENT ON COLUMN prediction_log.disagrees IS 'True when versions of the same task predict different labels for this image.';
COMMENT ON COLUMN prediction_log.events IS 'Number of requests. It includes events that were dropped.';
COMMENT ON COLUMN prediction_log.last_event_at IS 'Time of the last request.';
COMMENT ON COLUMN prediction_log.original_url IS 'URL of the image''s stored original, null when none is stored.';
COMMENT ON COLUMN prediction_log.model_digest IS 'SHA-256 of the model file as hex, null when it was unreadable.';

COMMENT ON VIEW confusion IS 'Confusion matrix of every model version over the labeled images, one row per cell: SELECT learning_rate, sum(images) FROM confusion WHERE true_label = ''4'' AND predicted_label = ''9'' GROUP BY learning_rate.';
COMMENT ON COLUMN confusion.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN confusion.version IS 'Version number of the model.';
COMMENT ON COLUMN confusion.task IS 'Task of the model version.';
COMMENT ON COLUMN confusion.learning_rate IS 'Learning rate of the experiment, null for a model without an experiment.';
COMMENT ON COLUMN confusion.momentum IS 'Momentum of the experiment, null for a model without an experiment.';
COMMENT ON COLUMN confusion.true_label IS 'Correct label.';
COMMENT ON COLUMN confusion.predicted_label IS 'Predicted label.';
COMMENT ON COLUMN confusion.images IS 'Number of images, 1 or more.';
COMMENT ON COLUMN confusion.is_right IS 'True when the predicted label is the correct one.';
COMMENT ON COLUMN confusion.model_digest IS 'SHA-256 of the model file as hex, null when it was unreadable.';

COMMENT ON VIEW live_accuracy IS 'Accuracy of every model version on the labeled images: SELECT * FROM live_accuracy ORDER BY accuracy DESC.';
COMMENT ON COLUMN live_accuracy.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN live_accuracy.version IS 'Version number of the model.';
COMMENT ON COLUMN live_accuracy.task IS 'Task of the model version.';
COMMENT ON COLUMN live_accuracy.learning_rate IS 'Learning rate of the experiment, null for a model without an experiment.';
COMMENT ON COLUMN live_accuracy.momentum IS 'Momentum of the experiment, null for a model without an experiment.';
COMMENT ON COLUMN live_accuracy.images IS 'Number of labeled images with a prediction.';
COMMENT ON COLUMN live_accuracy.correct IS 'Number of images with a correct prediction.';
COMMENT ON COLUMN live_accuracy.accuracy IS 'Fraction of correct predictions, 0 to 1.';
COMMENT ON COLUMN live_accuracy.model_digest IS 'SHA-256 of the model file as hex, null when it was unreadable.';

COMMENT ON VIEW disagreements IS 'Images for which versions of the same task predict different labels: SELECT * FROM disagreements ORDER BY changed_at DESC LIMIT 20.';
COMMENT ON COLUMN disagreements.changed_at IS 'Time at which another model version last predicted the image.';
COMMENT ON COLUMN disagreements.image_digest IS 'SHA-256 of the image''s 28x28 pixels as hex.';
COMMENT ON COLUMN disagreements.task IS 'Task of the predictions.';
COMMENT ON COLUMN disagreements.versions IS 'Number of model versions that predicted the image.';
COMMENT ON COLUMN disagreements.votes IS 'Number of model versions by predicted label.';
COMMENT ON COLUMN disagreements.true_label IS 'Correct label of the image, null without a row in labels.';
COMMENT ON COLUMN disagreements.original_url IS 'URL of the image''s stored original, null when none is stored.';

COMMENT ON VIEW traffic_per_minute IS 'Answers of every model version by minute: SELECT minute, sum(events) FROM traffic_per_minute WHERE minute > now() - interval ''1 hour'' GROUP BY minute ORDER BY minute.';
COMMENT ON COLUMN traffic_per_minute.minute IS 'Start of the minute.';
COMMENT ON COLUMN traffic_per_minute.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN traffic_per_minute.version IS 'Version number of the model.';
COMMENT ON COLUMN traffic_per_minute.task IS 'Task of the model version.';
COMMENT ON COLUMN traffic_per_minute.events IS 'Number of answers.';
COMMENT ON COLUMN traffic_per_minute.cached IS 'Number of answers from the cache, for which no model ran.';
COMMENT ON COLUMN traffic_per_minute.mean_milliseconds IS 'Mean time of an answer in milliseconds.';

COMMENT ON TABLE alias_events IS 'Moves of aliases. The last row of a task and alias has the current version. Rows are only added.';
COMMENT ON COLUMN alias_events.id IS 'Identifier. A later move has a higher one.';
COMMENT ON COLUMN alias_events.at IS 'Time of the move.';
COMMENT ON COLUMN alias_events.task IS 'Task of the alias. Every task has its own aliases.';
COMMENT ON COLUMN alias_events.alias IS 'Name of the alias, for example champion.';
COMMENT ON COLUMN alias_events.from_experiment_name IS 'Experiment before the move, null for the first move.';
COMMENT ON COLUMN alias_events.from_version IS 'Version number before the move, null for the first move.';
COMMENT ON COLUMN alias_events.experiment_name IS 'Experiment after the move.';
COMMENT ON COLUMN alias_events.version IS 'Version number after the move.';
COMMENT ON COLUMN alias_events.model_digest IS 'SHA-256 of the model file at the time of the move as hex, null when it was unreadable.';
COMMENT ON COLUMN alias_events.moved_by IS 'Name of the person or program that moved the alias.';
COMMENT ON COLUMN alias_events.reason IS 'Reason of the move.';
COMMENT ON COLUMN alias_events.takes_back IS 'Move that this rollback reverts, null for any other move.';

COMMENT ON VIEW aliases IS 'Current version of every alias: SELECT * FROM aliases.';
COMMENT ON COLUMN aliases.task IS 'Task of the alias. Every task has its own aliases.';
COMMENT ON COLUMN aliases.alias IS 'Name of the alias, for example champion.';
COMMENT ON COLUMN aliases.experiment_name IS 'Experiment that the alias points to.';
COMMENT ON COLUMN aliases.version IS 'Version number that the alias points to.';
COMMENT ON COLUMN aliases.model_digest IS 'SHA-256 of the model file at the time of the move as hex, null when it was unreadable.';
COMMENT ON COLUMN aliases.moved_at IS 'Time of the last move.';
COMMENT ON COLUMN aliases.moved_by IS 'Name of the person or program that moved the alias.';
COMMENT ON COLUMN aliases.reason IS 'Reason of the last move.';
COMMENT ON COLUMN aliases.event_id IS 'Identifier of the last move in alias_events.';

COMMENT ON VIEW alias_history IS 'Moves of all aliases: SELECT * FROM alias_history WHERE alias = ''champion'' ORDER BY event_id DESC.';
COMMENT ON COLUMN alias_history.at IS 'Time of the move.';
COMMENT ON COLUMN alias_history.task IS 'Task of the alias. Every task has its own aliases.';
COMMENT ON COLUMN alias_history.alias IS 'Name of the alias, for example champion.';
COMMENT ON COLUMN alias_history.from_experiment_name IS 'Experiment before the move, null for the first move.';
COMMENT ON COLUMN alias_history.from_version IS 'Version number before the move, null for the first move.';
COMMENT ON COLUMN alias_history.experiment_name IS 'Experiment after the move.';
COMMENT ON COLUMN alias_history.version IS 'Version number after the move.';
COMMENT ON COLUMN alias_history.model_digest IS 'SHA-256 of the model file at the time of the move as hex, null when it was unreadable.';
COMMENT ON COLUMN alias_history.moved_by IS 'Name of the person or program that moved the alias.';
COMMENT ON COLUMN alias_history.reason IS 'Reason of the move.';
COMMENT ON COLUMN alias_history.event_id IS 'Identifier of the move in alias_events. A later move has a higher one.';
COMMENT ON COLUMN alias_history.takes_back IS 'Move that this rollback reverts, null for any other move.';

COMMENT ON VIEW tasks IS 'Classification tasks with their experiments, models and champion: SELECT * FROM tasks.';
COMMENT ON COLUMN tasks.task IS 'Name of the task.';
COMMENT ON COLUMN tasks.experiments IS 'Number of experiments.';
COMMENT ON COLUMN tasks.ready_versions IS 'Number of model versions with status READY.';
COMMENT ON COLUMN tasks.classes IS 'Labels of the newest model version, READY ones first. Null without a model.';
COMMENT ON COLUMN tasks.champion IS 'Experiment that the alias champion points to, null without one.';
COMMENT ON COLUMN tasks.champion_version IS 'Version number that the alias champion points to, null without one.';

COMMENT ON FUNCTION move_alias IS 'Points an alias of a task to a model version and returns its last move, or null if the last move before is not `expected`.';
COMMENT ON FUNCTION first_champions IS 'Makes the READY version with the highest test accuracy the champion of every task without one, and returns these moves.';

COMMENT ON INDEX experiments_by_test_accuracy IS 'Leaderboard with ORDER BY test_accuracy DESC NULLS LAST.';
COMMENT ON INDEX experiments_latest IS 'Latest experiments first, missing ones last.';
COMMENT ON INDEX predictions_misread IS 'GET /predictions?wrong=true.';
COMMENT ON INDEX predictions_misread_by_version IS 'GET /predictions?experiment_name=...&wrong=true.';
COMMENT ON STATISTICS predictions_wrong IS 'Fraction of labeled predictions that are wrong, for the filters wrong=true and wrong=false of GET /predictions.';

-- A partition copies the comments of prediction_events when it is created, so existing ones have the old ones.
DO $$
DECLARE
    partition regclass;
    name      text;
    comment   text;
BEGIN
    FOR partition, name, comment IN
        SELECT i.inhrelid::regclass, a.attname, col_description(i.inhparent, a.attnum)
        FROM pg_inherits i JOIN pg_attribute a ON a.attrelid = i.inhparent AND a.attnum > 0 AND NOT a.attisdropped
        WHERE i.inhparent = 'prediction_events'::regclass
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', partition, name, comment);
    END LOOP;
END $$;
