-- Learning loop: uploads and datasets, pipeline runs with their steps, the evidence and the verdict of every promotion, requests for
-- labels. Rows are only added, except for states, heartbeats and progress. `request_run` writes a run and its job in one transaction.

CREATE TABLE datasets (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task       text NOT NULL,
    digest     text NOT NULL,
    parent_id  bigint REFERENCES datasets,
    url        text,
    bytes      bigint NOT NULL DEFAULT 0,
    images     integer NOT NULL,
    train      integer NOT NULL,
    validation integer NOT NULL,
    test       integer NOT NULL,
    classes    jsonb NOT NULL,
    sources    jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    UNIQUE (task, digest),
    CHECK (images = train + validation + test)
);
COMMENT ON TABLE datasets IS 'Versions of the labeled data of a task, one row per content: SELECT * FROM datasets ORDER BY id DESC.';
COMMENT ON COLUMN datasets.id IS 'Identifier. A later version has a higher one.';
COMMENT ON COLUMN datasets.task IS 'Classification task, for example mnist.';
COMMENT ON COLUMN datasets.digest IS 'SHA-256 as hex of the sorted lines "image_digest label split weight" of its images beyond the base dataset.';
COMMENT ON COLUMN datasets.parent_id IS 'Earlier version that its stored file adds to, null for the first.';
COMMENT ON COLUMN datasets.url IS 'Object with the pixels of the images that the parent does not have, null if there are none.';
COMMENT ON COLUMN datasets.bytes IS 'Size of that object, in bytes.';
COMMENT ON COLUMN datasets.images IS 'Number of images, with those of the base dataset.';
COMMENT ON COLUMN datasets.train IS 'Number of training images.';
COMMENT ON COLUMN datasets.validation IS 'Number of validation images.';
COMMENT ON COLUMN datasets.test IS 'Number of test images: of the base dataset, and further ones that no model is trained on.';
COMMENT ON COLUMN datasets.classes IS 'Classes of the task, in the order of the models'' outputs: a JSON array of labels.';
COMMENT ON COLUMN datasets.sources IS 'Sources of the images: base (name, SHA-256, images), corrections, audit, and the uploads by id, with their numbers of images.';
COMMENT ON COLUMN datasets.created_at IS 'Time of creation.';
COMMENT ON COLUMN datasets.created_by IS 'Program or person that created it, for example: run 20.';

CREATE TABLE dataset_images (
    dataset_id   bigint NOT NULL REFERENCES datasets,
    image_digest text NOT NULL,
    label        text NOT NULL,
    split        text NOT NULL CHECK (split IN ('train', 'validation', 'test')),
    source       text NOT NULL CHECK (source IN ('base', 'upload', 'correction', 'audit')),
    weight       smallint NOT NULL DEFAULT 1 CHECK (weight > 0),
    group_key    text,
    PRIMARY KEY (dataset_id, image_digest)
);
CREATE INDEX dataset_images_by_digest ON dataset_images (image_digest);
COMMENT ON TABLE dataset_images IS 'Images of a dataset beyond its base dataset. An image keeps its split in all later versions.';
COMMENT ON COLUMN dataset_images.dataset_id IS 'Dataset.';
COMMENT ON COLUMN dataset_images.image_digest IS 'SHA-256 of the canonical 28x28 pixels as hex: images.digest.';
COMMENT ON COLUMN dataset_images.label IS 'Label, a class of the task.';
COMMENT ON COLUMN dataset_images.split IS 'train, validation or test. The digest decides, or the group''s name if the image has a group.';
COMMENT ON COLUMN dataset_images.source IS 'upload, correction (a volunteered label), audit (a label that was asked for), or base (a relabeled image of the base dataset).';
COMMENT ON COLUMN dataset_images.weight IS 'Number of times that training uses the image in an epoch.';
COMMENT ON COLUMN dataset_images.group_key IS 'Group of images that share a split, for example a writer. Null without a group.';

CREATE TABLE uploads (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task        text NOT NULL,
    digest      text NOT NULL,
    url         text NOT NULL,
    bytes       bigint NOT NULL,
    media_type  text NOT NULL,
    name        text NOT NULL,
    uploaded_by text NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    state       text NOT NULL DEFAULT 'RECEIVED' CHECK (state IN ('RECEIVED', 'ACCEPTED', 'REJECTED')),
    reason      text,
    images      integer,
    rejected    integer,
    rejects     jsonb,
    UNIQUE (task, digest),
    CHECK ((state = 'REJECTED') = (reason IS NOT NULL))
);
COMMENT ON TABLE uploads IS 'Files of labeled images that were uploaded for a task. A run of the pipeline reads them.';
COMMENT ON COLUMN uploads.id IS 'Identifier: upload_id of the API.';
COMMENT ON COLUMN uploads.task IS 'Classification task.';
COMMENT ON COLUMN uploads.digest IS 'SHA-256 of the file as hex.';
COMMENT ON COLUMN uploads.url IS 'Object with the file.';
COMMENT ON COLUMN uploads.bytes IS 'Size of the file, in bytes.';
COMMENT ON COLUMN uploads.media_type IS 'Media type that the client stated. The content decides how the file is read.';
COMMENT ON COLUMN uploads.name IS 'Name that the client gave the file.';
COMMENT ON COLUMN uploads.uploaded_by IS 'Name that the client stated.';
COMMENT ON COLUMN uploads.uploaded_at IS 'Time of the upload.';
COMMENT ON COLUMN uploads.state IS 'RECEIVED until a run reads it, then ACCEPTED, or REJECTED with a reason.';
COMMENT ON COLUMN uploads.reason IS 'Reason why the whole file was rejected, null otherwise.';
COMMENT ON COLUMN uploads.images IS 'Number of images that were read, null before.';
COMMENT ON COLUMN uploads.rejected IS 'Number of images or rows that were rejected, null before it was read.';
COMMENT ON COLUMN uploads.rejects IS 'First 100 rejects: a JSON array of {path, reason}.';

CREATE TABLE pipeline_runs (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind                text NOT NULL DEFAULT 'retrain' CHECK (kind IN ('retrain', 'compare', 'score')),
    task                text NOT NULL,
    experiment_name     text,
    dataset_id          bigint REFERENCES datasets,
    params              jsonb NOT NULL DEFAULT '{}',
    code_digest         text,
    state               text NOT NULL DEFAULT 'QUEUED' CHECK (state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    reason              text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    finished_at         timestamptz,
    parent_run_id       bigint REFERENCES pipeline_runs,
    cancel_requested_at timestamptz,
    deaths              smallint NOT NULL DEFAULT 0,
    lease_token         uuid,
    heartbeat_at        timestamptz,
    worker              text,
    CHECK ((state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)),
    CHECK (state NOT IN ('FAILED', 'CANCELLED') OR reason IS NOT NULL),
    CHECK (kind = 'score' OR experiment_name IS NOT NULL)
);
CREATE UNIQUE INDEX pipeline_runs_open ON pipeline_runs (task) WHERE state IN ('QUEUED', 'RUNNING') AND kind <> 'score';
CREATE INDEX pipeline_runs_by_state ON pipeline_runs (state) WHERE state IN ('QUEUED', 'RUNNING');
COMMENT ON TABLE pipeline_runs IS 'Runs of the pipeline. A task has one open run at a time: further triggers join it. The view pipeline_overview adds steps and verdict.';
COMMENT ON COLUMN pipeline_runs.id IS 'Identifier: run_id of the API.';
COMMENT ON COLUMN pipeline_runs.kind IS 'retrain, compare (decides again about the candidate of an earlier run) or score (predictions for many images).';
COMMENT ON COLUMN pipeline_runs.task IS 'Classification task.';
COMMENT ON COLUMN pipeline_runs.experiment_name IS 'Experiment whose recipe is trained, null for a run of kind score.';
COMMENT ON COLUMN pipeline_runs.dataset_id IS 'Dataset of the run, null before the step ingest.';
COMMENT ON COLUMN pipeline_runs.params IS 'Parameters: seeds, dataset, sweep, keep; experiments and images of a run of kind score.';
COMMENT ON COLUMN pipeline_runs.code_digest IS 'SHA-256 of the training code and library versions at its start. When it changes, the steps from train on are repeated.';
COMMENT ON COLUMN pipeline_runs.state IS 'QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN pipeline_runs.reason IS 'Reason of its state: the error of a FAILED run, the verdict of a SUCCEEDED one.';
COMMENT ON COLUMN pipeline_runs.created_at IS 'Time of the first trigger.';
COMMENT ON COLUMN pipeline_runs.started_at IS 'Time at which a worker first took it.';
COMMENT ON COLUMN pipeline_runs.finished_at IS 'Time at which it ended, null while it is open.';
COMMENT ON COLUMN pipeline_runs.parent_run_id IS 'Run whose candidate a run of kind compare decides about.';
COMMENT ON COLUMN pipeline_runs.cancel_requested_at IS 'Time at which cancellation was requested. Its worker stops at the next progress report.';
COMMENT ON COLUMN pipeline_runs.deaths IS 'Number of workers that died while they executed it. The third ends the run.';
COMMENT ON COLUMN pipeline_runs.lease_token IS 'Token of the worker that executes it. Every write of a step requires the token.';
COMMENT ON COLUMN pipeline_runs.heartbeat_at IS 'Last sign of life of that worker. Another worker takes the run over when it is too old.';
COMMENT ON COLUMN pipeline_runs.worker IS 'Name of the worker that executes it, or that did so last.';

CREATE TABLE pipeline_triggers (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id       bigint NOT NULL REFERENCES pipeline_runs,
    kind         text NOT NULL CHECK (kind IN ('manual', 'schedule', 'labels', 'drift', 'upload', 'api')),
    requested_by text NOT NULL,
    reason       text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pipeline_triggers_by_run ON pipeline_triggers (run_id, id);
COMMENT ON TABLE pipeline_triggers IS 'Triggers of runs, also those that joined an open run.';
COMMENT ON COLUMN pipeline_triggers.id IS 'Identifier. The first trigger of a run has the lowest one.';
COMMENT ON COLUMN pipeline_triggers.run_id IS 'Run that it started or joined.';
COMMENT ON COLUMN pipeline_triggers.kind IS 'manual (dashboard or command), schedule, labels, drift (a request of the monitor), upload or api.';
COMMENT ON COLUMN pipeline_triggers.requested_by IS 'Person or program.';
COMMENT ON COLUMN pipeline_triggers.reason IS 'Reason that was stated.';
COMMENT ON COLUMN pipeline_triggers.at IS 'Time of the trigger.';

CREATE TABLE pipeline_steps (
    run_id       bigint NOT NULL REFERENCES pipeline_runs,
    name         text NOT NULL,
    ordinal      smallint NOT NULL,
    attempt      smallint NOT NULL,
    state        text NOT NULL CHECK (state IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED')),
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    worker       text NOT NULL,
    inputs       jsonb NOT NULL DEFAULT '{}',
    outputs      jsonb,
    progress     jsonb,
    error        text,
    log_url      text,
    PRIMARY KEY (run_id, name, attempt),
    CHECK ((state = 'RUNNING') = (finished_at IS NULL)),
    CHECK ((state = 'FAILED') = (error IS NOT NULL))
);
CREATE UNIQUE INDEX pipeline_steps_current ON pipeline_steps (run_id, name) WHERE state <> 'FAILED';
COMMENT ON TABLE pipeline_steps IS 'Attempts of the steps of a run. The next step is the first without a row that SUCCEEDED or was SKIPPED.';
COMMENT ON COLUMN pipeline_steps.run_id IS 'Run.';
COMMENT ON COLUMN pipeline_steps.name IS 'Step: ingest, validate, prepare, train, evaluate, compare, register, promote, or score.';
COMMENT ON COLUMN pipeline_steps.ordinal IS 'Position in the run, from 1.';
COMMENT ON COLUMN pipeline_steps.attempt IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN pipeline_steps.state IS 'RUNNING, SUCCEEDED, FAILED, or SKIPPED: its outputs are those of the parent run.';
COMMENT ON COLUMN pipeline_steps.started_at IS 'Start of the attempt.';
COMMENT ON COLUMN pipeline_steps.heartbeat_at IS 'Last progress report.';
COMMENT ON COLUMN pipeline_steps.finished_at IS 'End of the attempt, null while it is RUNNING.';
COMMENT ON COLUMN pipeline_steps.worker IS 'Name of the worker.';
COMMENT ON COLUMN pipeline_steps.inputs IS 'Inputs that the attempt started from.';
COMMENT ON COLUMN pipeline_steps.outputs IS 'Outputs, which later steps read.';
COMMENT ON COLUMN pipeline_steps.progress IS 'Latest progress, for example {"epoch": 3, "epochs": 12}.';
COMMENT ON COLUMN pipeline_steps.error IS 'Error of a FAILED attempt.';
COMMENT ON COLUMN pipeline_steps.log_url IS 'Address of the log of the attempt, null if it has none.';

CREATE TABLE trainings (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id              bigint NOT NULL REFERENCES pipeline_runs,
    seed                integer NOT NULL,
    trial               integer,
    fold                integer,
    params              jsonb NOT NULL,
    fingerprint         text,
    outcome             text NOT NULL DEFAULT 'RUNNING' CHECK (outcome IN ('RUNNING', 'finished', 'diverged', 'failed')),
    validation_accuracy double precision,
    test_accuracy       double precision,
    seconds             double precision,
    curve               jsonb,
    artifact_url        text,
    model_digest        text,
    keras_digest        text,
    started_at          timestamptz NOT NULL DEFAULT now(),
    finished_at         timestamptz,
    UNIQUE NULLS NOT DISTINCT (run_id, seed, trial, fold)
);
COMMENT ON TABLE trainings IS 'Trained models of a run: one row per seed, and one per trial and fold of a hyperparameter search.';
COMMENT ON COLUMN trainings.id IS 'Identifier.';
COMMENT ON COLUMN trainings.run_id IS 'Run.';
COMMENT ON COLUMN trainings.seed IS 'Seed of initial weights, order and augmentation.';
COMMENT ON COLUMN trainings.trial IS 'Number of the trial of a search, null for a candidate.';
COMMENT ON COLUMN trainings.fold IS 'Number of the fold that was held out, null for a candidate.';
COMMENT ON COLUMN trainings.params IS 'Hyperparameters.';
COMMENT ON COLUMN trainings.fingerprint IS 'SHA-256 of experiment, data, code and library versions. Equal fingerprints mean equal models on one machine.';
COMMENT ON COLUMN trainings.outcome IS 'RUNNING, finished, diverged (infinite or not a number) or failed.';
COMMENT ON COLUMN trainings.validation_accuracy IS 'Accuracy on the validation images, or on the held-out fold, 0 to 1. It alone chooses the seed and the trial.';
COMMENT ON COLUMN trainings.test_accuracy IS 'Accuracy on the test images of the base dataset, 0 to 1.';
COMMENT ON COLUMN trainings.seconds IS 'Training time in seconds.';
COMMENT ON COLUMN trainings.curve IS 'Training loss: {"Step": [...], "Value": [...]}.';
COMMENT ON COLUMN trainings.artifact_url IS 'Object with the model and its card (zip), null if none is kept.';
COMMENT ON COLUMN trainings.model_digest IS 'SHA-256 of model.tflite as hex.';
COMMENT ON COLUMN trainings.keras_digest IS 'SHA-256 of model.keras as hex, the digest of the published version.';
COMMENT ON COLUMN trainings.started_at IS 'Start of the training.';
COMMENT ON COLUMN trainings.finished_at IS 'End of the training, null while it is RUNNING.';

CREATE TABLE evaluations (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          bigint REFERENCES pipeline_runs,
    model_digest    text NOT NULL,
    experiment_name text,
    version         integer,
    image_set       text NOT NULL,
    set_digest      text NOT NULL,
    images          integer NOT NULL CHECK (images >= 0),
    correct         integer NOT NULL CHECK (correct BETWEEN 0 AND images),
    predictions_url text,
    by_class        jsonb NOT NULL,
    evaluated_by    text NOT NULL,
    at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX evaluations_by_model ON evaluations (model_digest, set_digest, id);
CREATE INDEX evaluations_by_run ON evaluations (run_id) WHERE run_id IS NOT NULL;
COMMENT ON TABLE evaluations IS 'Accuracy of a model on a set of labeled images, one row per evaluation, of the pipeline or of the dashboard.';
COMMENT ON COLUMN evaluations.id IS 'Identifier. A later evaluation has a higher one.';
COMMENT ON COLUMN evaluations.run_id IS 'Run of the pipeline, null for an evaluation of the dashboard or an API client.';
COMMENT ON COLUMN evaluations.model_digest IS 'SHA-256 of the model''s file as hex: model.tflite for the pipeline, model_versions.digest for the dashboard.';
COMMENT ON COLUMN evaluations.experiment_name IS 'Experiment of the model, null for a candidate.';
COMMENT ON COLUMN evaluations.version IS 'Version of the model, null for a candidate.';
COMMENT ON COLUMN evaluations.image_set IS 'Set of images: base-test, audit, corrections, or the name that the client stated.';
COMMENT ON COLUMN evaluations.set_digest IS 'SHA-256 of the images and their labels as hex.';
COMMENT ON COLUMN evaluations.images IS 'Number of images.';
COMMENT ON COLUMN evaluations.correct IS 'Number of images that the model predicted correctly.';
COMMENT ON COLUMN evaluations.predictions_url IS 'Object with the predicted class indices, one byte per image in the order of the set, null if none is stored.';
COMMENT ON COLUMN evaluations.by_class IS 'Images and correct predictions by label: {"7": {"images": 1028, "correct": 1020}}.';
COMMENT ON COLUMN evaluations.evaluated_by IS 'Program or person.';
COMMENT ON COLUMN evaluations.at IS 'Time of the evaluation.';

CREATE TABLE comparisons (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id           bigint NOT NULL REFERENCES pipeline_runs,
    image_set        text NOT NULL,
    set_digest       text NOT NULL,
    champion_digest  text NOT NULL,
    candidate_digest text NOT NULL,
    images           integer NOT NULL,
    both_right       integer NOT NULL,
    only_champion    integer NOT NULL,
    only_candidate   integer NOT NULL,
    both_wrong       integer NOT NULL,
    unanswered       integer NOT NULL DEFAULT 0,
    p_better         double precision NOT NULL,
    gain             double precision NOT NULL,
    gain_lower       double precision NOT NULL,
    by_class         jsonb NOT NULL,
    discordant       jsonb NOT NULL DEFAULT '[]',
    decides          boolean NOT NULL,
    at               timestamptz NOT NULL DEFAULT now(),
    CHECK (images = both_right + only_champion + only_candidate + both_wrong)
);
CREATE INDEX comparisons_by_run ON comparisons (run_id, id);
COMMENT ON TABLE comparisons IS 'Champion and candidate on the same images: the evidence of a verdict. `python -m pipeline.gate RUN` computes the verdict from these rows again.';
COMMENT ON COLUMN comparisons.id IS 'Identifier.';
COMMENT ON COLUMN comparisons.run_id IS 'Run.';
COMMENT ON COLUMN comparisons.image_set IS 'Set of images: base-test (test images of the base dataset), audit (labels that were asked for) or corrections (volunteered labels).';
COMMENT ON COLUMN comparisons.set_digest IS 'SHA-256 of the images and their labels as hex.';
COMMENT ON COLUMN comparisons.champion_digest IS 'SHA-256 of the champion''s model.tflite as hex.';
COMMENT ON COLUMN comparisons.candidate_digest IS 'SHA-256 of the candidate''s model.tflite as hex.';
COMMENT ON COLUMN comparisons.images IS 'Number of images.';
COMMENT ON COLUMN comparisons.both_right IS 'Images that both predict correctly.';
COMMENT ON COLUMN comparisons.only_champion IS 'Images that only the champion predicts correctly.';
COMMENT ON COLUMN comparisons.only_candidate IS 'Images that only the candidate predicts correctly.';
COMMENT ON COLUMN comparisons.both_wrong IS 'Images that both predict wrongly.';
COMMENT ON COLUMN comparisons.unanswered IS 'Requested labels that are missing. The test counts them against the candidate.';
COMMENT ON COLUMN comparisons.p_better IS 'One-sided p-value of McNemar''s exact test: the probability of this or a stronger result if the candidate is not better.';
COMMENT ON COLUMN comparisons.gain IS 'Accuracy of the candidate minus that of the champion, -1 to 1.';
COMMENT ON COLUMN comparisons.gain_lower IS 'Lower 95 % confidence bound of the gain.';
COMMENT ON COLUMN comparisons.by_class IS 'Images that only one predicts correctly, by true label: {"7": {"only_champion": 1, "only_candidate": 3, "images": 1028}}.';
COMMENT ON COLUMN comparisons.discordant IS 'Up to 100 images that one of them predicts correctly: a JSON array of {image_digest, label, champion, candidate}.';
COMMENT ON COLUMN comparisons.decides IS 'Whether the verdict may rest on this set. Volunteered corrections never decide.';
COMMENT ON COLUMN comparisons.at IS 'Time of the comparison.';

CREATE TABLE promotion_decisions (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id            bigint NOT NULL REFERENCES pipeline_runs,
    verdict           text NOT NULL CHECK (verdict IN ('PROMOTE', 'REFUSE', 'UNDECIDED')),
    rule_version      integer NOT NULL,
    settings          jsonb NOT NULL,
    reasons           text[] NOT NULL,
    champion_name     text,
    champion_version  integer,
    champion_digest   text,
    candidate_name    text NOT NULL,
    candidate_version integer,
    candidate_digest  text NOT NULL,
    expected_event_id bigint REFERENCES alias_events,
    alias_event_id    bigint REFERENCES alias_events,
    at                timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX promotion_decisions_by_run ON promotion_decisions (run_id, id);
COMMENT ON TABLE promotion_decisions IS 'Verdicts of the promotion gate. The last one of a run counts.';
COMMENT ON COLUMN promotion_decisions.id IS 'Identifier.';
COMMENT ON COLUMN promotion_decisions.run_id IS 'Run.';
COMMENT ON COLUMN promotion_decisions.verdict IS 'PROMOTE, REFUSE, or UNDECIDED: labels are asked for.';
COMMENT ON COLUMN promotion_decisions.rule_version IS 'Version of the rules in pipeline/gate.';
COMMENT ON COLUMN promotion_decisions.settings IS 'Settings of the gate: alpha, margin, min_gain, and measurements that the rules use.';
COMMENT ON COLUMN promotion_decisions.reasons IS 'Reasons, one sentence each.';
COMMENT ON COLUMN promotion_decisions.champion_name IS 'Experiment of the champion, null if the task had none.';
COMMENT ON COLUMN promotion_decisions.champion_version IS 'Version of the champion.';
COMMENT ON COLUMN promotion_decisions.champion_digest IS 'SHA-256 of the champion''s model.tflite as hex.';
COMMENT ON COLUMN promotion_decisions.candidate_name IS 'Experiment of the candidate.';
COMMENT ON COLUMN promotion_decisions.candidate_version IS 'Published version of the candidate, null if it is not published.';
COMMENT ON COLUMN promotion_decisions.candidate_digest IS 'SHA-256 of the candidate''s model.tflite as hex.';
COMMENT ON COLUMN promotion_decisions.expected_event_id IS 'Last move of the alias champion before the evaluation. After another move, the verdict no longer applies.';
COMMENT ON COLUMN promotion_decisions.alias_event_id IS 'Move that carried out the verdict, null before or without one.';
COMMENT ON COLUMN promotion_decisions.at IS 'Time of the verdict.';

CREATE TABLE label_requests (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task                 text NOT NULL,
    image_id             uuid NOT NULL REFERENCES images,
    image_digest         text NOT NULL,
    run_id               bigint REFERENCES pipeline_runs,
    why                  text NOT NULL CHECK (why IN ('disagreement', 'random', 'novel')),
    requested_by         text NOT NULL,
    asked_at             timestamptz NOT NULL DEFAULT now(),
    answered_at          timestamptz,
    answered_by_label_id bigint REFERENCES labels,
    skipped_at           timestamptz,
    skipped_by           text,
    CHECK ((answered_at IS NULL) = (answered_by_label_id IS NULL)),
    CHECK ((skipped_at IS NULL) = (skipped_by IS NULL))
);
CREATE UNIQUE INDEX label_requests_open ON label_requests (task, image_id) WHERE answered_at IS NULL AND skipped_at IS NULL;
CREATE INDEX label_requests_by_run ON label_requests (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX label_requests_by_label ON label_requests (answered_by_label_id) WHERE answered_by_label_id IS NOT NULL;
COMMENT ON TABLE label_requests IS 'Images whose label is asked for. Only answers to requests may decide about a promotion: the person who labels does not choose the images.';
COMMENT ON COLUMN label_requests.id IS 'Identifier: request_id of the API.';
COMMENT ON COLUMN label_requests.task IS 'Classification task.';
COMMENT ON COLUMN label_requests.image_id IS 'Image: images.id.';
COMMENT ON COLUMN label_requests.image_digest IS 'Image: images.digest.';
COMMENT ON COLUMN label_requests.run_id IS 'Run that asked, null for a request of a person or of the monitor.';
COMMENT ON COLUMN label_requests.why IS 'disagreement (champion and candidate predict different labels), random, or novel (unlike the training images).';
COMMENT ON COLUMN label_requests.requested_by IS 'Person or program that asked.';
COMMENT ON COLUMN label_requests.asked_at IS 'Time of the request.';
COMMENT ON COLUMN label_requests.answered_at IS 'Time of the answer, null without one.';
COMMENT ON COLUMN label_requests.answered_by_label_id IS 'Label that answers it: labels.id.';
COMMENT ON COLUMN label_requests.skipped_at IS 'Time at which a person skipped it, null otherwise.';
COMMENT ON COLUMN label_requests.skipped_by IS 'Person who skipped it.';

ALTER TABLE labels
    ADD COLUMN source text NOT NULL DEFAULT 'volunteered' CHECK (source IN ('volunteered', 'disagreement', 'random', 'novel', 'confirmed')),
    ADD COLUMN withdrawn_by text;
COMMENT ON COLUMN labels.source IS 'volunteered; disagreement, random or novel for an answer to such a request in label_requests; confirmed if the answer repeats a volunteered label.';
COMMENT ON COLUMN labels.withdrawn_by IS 'Person who withdrew the label at replaced_at, null otherwise.';
COMMENT ON COLUMN labels.replaced_at IS 'Time at which another label replaced it, it was withdrawn, or its image got a warning. Null for the current label.';

CREATE TABLE schedules (
    task            text PRIMARY KEY,
    cron            text NOT NULL,
    experiment_name text NOT NULL,
    params          jsonb NOT NULL DEFAULT '{}',
    enabled         boolean NOT NULL DEFAULT true,
    changed_by      text NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT now(),
    last_fired_at   timestamptz
);
COMMENT ON TABLE schedules IS 'Schedules of retraining, one per task.';
COMMENT ON COLUMN schedules.task IS 'Classification task.';
COMMENT ON COLUMN schedules.cron IS 'Cron expression of five fields in UTC: minute, hour, day of month, month, day of week.';
COMMENT ON COLUMN schedules.experiment_name IS 'Experiment whose recipe is trained.';
COMMENT ON COLUMN schedules.params IS 'Parameters of the runs, as pipeline_runs.params.';
COMMENT ON COLUMN schedules.enabled IS 'Whether the schedule starts runs.';
COMMENT ON COLUMN schedules.changed_by IS 'Person or program that last changed it.';
COMMENT ON COLUMN schedules.changed_at IS 'Time of the last change. Only later times of the expression count.';
COMMENT ON COLUMN schedules.last_fired_at IS 'Last time of the expression that started or joined a run, null before.';

CREATE TABLE retrain_requests (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task         text NOT NULL,
    alert_id     bigint,
    requested_by text NOT NULL,
    asked_at     timestamptz NOT NULL DEFAULT now(),
    labels_since integer,
    status       text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'taken', 'done', 'refused')),
    reason       text NOT NULL,
    run_id       bigint REFERENCES pipeline_runs
);
CREATE UNIQUE INDEX retrain_requests_open ON retrain_requests (task) WHERE status IN ('waiting', 'taken');
COMMENT ON TABLE retrain_requests IS 'Requests of a monitor to retrain a task. A worker takes them.';
COMMENT ON COLUMN retrain_requests.id IS 'Identifier.';
COMMENT ON COLUMN retrain_requests.task IS 'Classification task.';
COMMENT ON COLUMN retrain_requests.alert_id IS 'Alert that caused it, null without one.';
COMMENT ON COLUMN retrain_requests.requested_by IS 'Program or person.';
COMMENT ON COLUMN retrain_requests.asked_at IS 'Time of the request.';
COMMENT ON COLUMN retrain_requests.labels_since IS 'Number of labels newer than the champion''s data, null if unknown.';
COMMENT ON COLUMN retrain_requests.status IS 'waiting, taken (its run is open), done or refused.';
COMMENT ON COLUMN retrain_requests.reason IS 'Reason of the request, and of a refusal.';
COMMENT ON COLUMN retrain_requests.run_id IS 'Run that it started or joined.';

CREATE TABLE pipeline_workers (
    name       text PRIMARY KEY,
    host       text NOT NULL,
    pid        integer NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pipeline_workers IS 'Workers of the pipeline. One that is not seen for a day is removed.';
COMMENT ON COLUMN pipeline_workers.name IS 'Unique name of the worker process.';
COMMENT ON COLUMN pipeline_workers.host IS 'Name of its machine or container.';
COMMENT ON COLUMN pipeline_workers.pid IS 'Process id on that machine.';
COMMENT ON COLUMN pipeline_workers.version IS 'Digest of its code.';
COMMENT ON COLUMN pipeline_workers.started_at IS 'Start of the worker.';
COMMENT ON COLUMN pipeline_workers.seen_at IS 'Last sign of life.';

-- Where a model comes from, as its card states it.
ALTER TABLE model_versions ADD COLUMN training jsonb;
COMMENT ON COLUMN model_versions.training IS 'Origin of the model by its card: run_id, seed, dataset_digest, data_sha256, code_sha256, and library versions. Null without a statement.';

-- Moves of aliases name the run whose verdict they carry out, and rollbacks the run of the move that they undo.
ALTER TABLE alias_events ADD COLUMN run_id bigint REFERENCES pipeline_runs;
COMMENT ON COLUMN alias_events.run_id IS 'Run of the pipeline whose verdict the move carries out or, for a rollback, undoes. Null for any other move.';
CREATE OR REPLACE VIEW alias_history AS
SELECT at, task, alias, from_experiment_name, from_version, experiment_name, version, model_digest, moved_by, reason, id AS event_id,
       takes_back, run_id
FROM alias_events;
COMMENT ON COLUMN alias_history.run_id IS 'Run of the pipeline whose verdict the move carries out or, for a rollback, undoes. Null for any other move.';

DROP FUNCTION move_alias;
CREATE FUNCTION move_alias(
    task text, alias text, experiment_name text, version integer, model_digest text, moved_by text, reason text,
    expected bigint DEFAULT NULL, takes_back bigint DEFAULT NULL, run_id bigint DEFAULT NULL
) RETURNS alias_events LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    last  alias_events;
    added alias_events;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('alias ' || task || ' ' || alias));
    SELECT * INTO last FROM alias_events e WHERE e.task = move_alias.task AND e.alias = move_alias.alias ORDER BY e.id DESC LIMIT 1;
    IF last.id <> expected THEN RETURN NULL; END IF;
    IF last.experiment_name = experiment_name AND last.version = version AND last.model_digest IS NOT DISTINCT FROM model_digest THEN
        RETURN last;
    END IF;
    INSERT INTO alias_events (
        task, alias, from_experiment_name, from_version, experiment_name, version, model_digest, moved_by, reason, takes_back, run_id
    )
    VALUES (task, alias, last.experiment_name, last.version, experiment_name, version, model_digest, moved_by, reason, takes_back,
            coalesce(run_id, (SELECT e.run_id FROM alias_events e WHERE e.id = move_alias.takes_back)))
    RETURNING * INTO added;
    RETURN added;
END $$;
COMMENT ON FUNCTION move_alias IS 'Points an alias to a model version and returns the alias''s last move. Returns null, and moves nothing, if `expected` is given and is not the id of the last move.';

-- Labels: an answer to a request has the request's reason as its source, and a label can be withdrawn.
DROP FUNCTION label_prediction;
CREATE FUNCTION label_prediction(
    prediction uuid, label text, labelled_by text, replaces text, answers_request bigint DEFAULT NULL,
    OUT outcome text, OUT task text, OUT classes text[], OUT current_label text, OUT current_by text, OUT labelled_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    image     uuid;
    warnings  text[];
    request   label_requests;
    new_label bigint;
BEGIN
    PERFORM lock_summaries();
    SELECT p.image_id, p.task, m.classes, i.warnings INTO image, task, classes, warnings
    FROM predictions p JOIN model_versions m ON m.id = p.model_version_id JOIN images i ON i.id = p.image_id WHERE p.id = prediction;
    IF image IS NULL THEN outcome := 'unknown'; RETURN; END IF;
    IF label_prediction.label <> ALL (classes) THEN outcome := 'no class'; RETURN; END IF;
    IF 'no digit found' = ANY (warnings) THEN outcome := 'no digit'; RETURN; END IF;
    IF warnings <> '{}' THEN outcome := 'several digits'; RETURN; END IF;
    IF answers_request IS NOT NULL THEN
        SELECT * INTO request FROM label_requests r
        WHERE r.id = answers_request AND r.image_id = image AND r.task = label_prediction.task AND r.answered_at IS NULL FOR UPDATE;
        IF request.id IS NULL THEN outcome := 'no request'; RETURN; END IF;
    END IF;
    SELECT l.label, l.labelled_by, l.labelled_at INTO current_label, current_by, labelled_at
    FROM labels l WHERE l.image_id = image AND l.task = label_prediction.task AND l.replaced_at IS NULL;
    IF current_label = label_prediction.label AND request.id IS NULL THEN outcome := 'unchanged'; RETURN; END IF;
    IF current_label IS DISTINCT FROM replaces AND current_label IS DISTINCT FROM label_prediction.label THEN
        outcome := 'conflict'; RETURN;
    END IF;
    INSERT INTO labels AS l (image_id, task, label, labelled_by, source)
    VALUES (image, label_prediction.task, label_prediction.label, label_prediction.labelled_by,
            CASE WHEN request.id IS NULL THEN 'volunteered' WHEN current_label = label_prediction.label THEN 'confirmed' ELSE request.why END)
    RETURNING l.id, l.label, l.labelled_by, l.labelled_at INTO new_label, current_label, current_by, labelled_at;
    UPDATE label_requests SET answered_at = clock_timestamp(), answered_by_label_id = new_label, skipped_at = NULL, skipped_by = NULL
    WHERE id = request.id;
    outcome := 'stored';
END $$;
COMMENT ON FUNCTION label_prediction IS 'Stores the correct label of a prediction''s image. `replaces` must name the current label, if there is another one. `answers_request` is the label request that it answers. outcome: stored, unchanged, conflict, no request, no digit, several digits, no class, unknown.';

CREATE FUNCTION withdraw_label(prediction uuid, withdrawn_by text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    image     uuid;
    its_task  text;
    withdrawn bigint;
BEGIN
    PERFORM lock_summaries();
    SELECT p.image_id, p.task INTO image, its_task FROM predictions p WHERE p.id = prediction;
    IF image IS NULL THEN RETURN 'unknown'; END IF;
    UPDATE labels l SET replaced_at = clock_timestamp(), withdrawn_by = withdraw_label.withdrawn_by
    WHERE l.image_id = image AND l.task = its_task AND l.replaced_at IS NULL RETURNING l.id INTO withdrawn;
    IF withdrawn IS NULL THEN RETURN 'no label'; END IF;
    UPDATE label_requests SET answered_at = NULL, answered_by_label_id = NULL WHERE answered_by_label_id = withdrawn;
    WITH changed AS (
        UPDATE predictions p SET true_label = NULL WHERE p.image_id = image AND p.task = its_task AND p.true_label IS NOT NULL
        RETURNING WITH (OLD AS before) p.model_version_id, p.label, before.true_label AS was
    ), counted AS (
        SELECT model_version_id, was, label, count(*) AS images FROM changed GROUP BY 1, 2, 3
    )
    UPDATE confusion_counts c SET images = c.images - n.images FROM counted n
    WHERE c.model_version_id = n.model_version_id AND c.true_label = n.was AND c.predicted_label = n.label;
    RETURN 'withdrawn';
END $$;
COMMENT ON FUNCTION withdraw_label IS 'Withdraws the current label of a prediction''s image. A request that it answered is open again. Returns withdrawn, no label or unknown.';

CREATE FUNCTION request_labels(task text, images integer, requested_by text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    added integer;
BEGIN
    INSERT INTO label_requests (task, image_id, image_digest, why, requested_by)
    SELECT request_labels.task, i.id, i.digest, 'random', request_labels.requested_by
    FROM images i
    WHERE i.original_url IS NOT NULL AND i.warnings = '{}'
      AND EXISTS (SELECT FROM image_votes v WHERE v.image_id = i.id AND v.task = request_labels.task)
      AND NOT EXISTS (SELECT FROM labels l WHERE l.image_id = i.id AND l.task = request_labels.task AND l.replaced_at IS NULL)
      AND NOT EXISTS (SELECT FROM label_requests r WHERE r.image_id = i.id AND r.task = request_labels.task)
    ORDER BY random() LIMIT greatest(images, 0)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
COMMENT ON FUNCTION request_labels IS 'Asks for the labels of logged images, drawn at random among those with a stored original and without a label, a warning or an earlier request. Returns their number.';

CREATE FUNCTION skip_label_request(request bigint, skipped_by text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE label_requests r SET skipped_at = clock_timestamp(), skipped_by = skip_label_request.skipped_by
    WHERE r.id = request AND r.answered_at IS NULL AND r.skipped_at IS NULL;
    IF FOUND THEN RETURN 'skipped'; END IF;
    RETURN CASE WHEN EXISTS (SELECT FROM label_requests r WHERE r.id = request) THEN 'over' ELSE 'unknown' END;
END $$;
COMMENT ON FUNCTION skip_label_request IS 'Skips a request for a label that no person can give. Returns skipped, over (answered or skipped before) or unknown.';

-- Runs. The job's queue is that of the worker, see pipeline/worker.
CREATE FUNCTION enqueue_run(run bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, procrastinate, pg_temp AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[
        ROW('pipeline', 'run', 0, NULL, 'run ' || run, jsonb_build_object('run_id', run), NULL)::procrastinate_job_to_defer_v1]);
EXCEPTION WHEN unique_violation THEN
    NULL; -- a job of this run is waiting already
END $$;
COMMENT ON FUNCTION enqueue_run IS 'Adds a job that executes a run, unless one is waiting already.';

CREATE FUNCTION request_run(
    task text, experiment_name text, params jsonb, kind text, requested_by text, reason text, OUT run_id bigint, OUT joined boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    LOCK TABLE pipeline_triggers IN EXCLUSIVE MODE; -- of two triggers at once, one joins the run of the other
    SELECT r.id INTO run_id FROM pipeline_runs r
    WHERE r.task = request_run.task AND r.kind <> 'score' AND r.state IN ('QUEUED', 'RUNNING');
    joined := run_id IS NOT NULL;
    IF NOT joined THEN
        INSERT INTO pipeline_runs (task, experiment_name, params)
        VALUES (request_run.task, request_run.experiment_name, coalesce(request_run.params, '{}')) RETURNING id INTO run_id;
        PERFORM enqueue_run(run_id);
    END IF;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason)
    VALUES (request_run.run_id, request_run.kind, request_run.requested_by, request_run.reason);
END $$;
COMMENT ON FUNCTION request_run IS 'Starts a run of kind retrain, or joins the task''s open run. Run, trigger and job are written in one transaction.';

CREATE FUNCTION request_comparison(parent_run bigint, kind text, requested_by text, reason text, OUT run_id bigint, OUT joined boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    parent pipeline_runs;
BEGIN
    LOCK TABLE pipeline_triggers IN EXCLUSIVE MODE;
    SELECT * INTO parent FROM pipeline_runs WHERE id = parent_run AND state = 'SUCCEEDED' AND kind <> 'score';
    IF parent.id IS NULL THEN RETURN; END IF;
    SELECT r.id INTO run_id FROM pipeline_runs r
    WHERE r.task = parent.task AND r.kind <> 'score' AND r.state IN ('QUEUED', 'RUNNING');
    joined := run_id IS NOT NULL;
    IF NOT joined THEN
        INSERT INTO pipeline_runs (kind, task, experiment_name, dataset_id, params, parent_run_id)
        VALUES ('compare', parent.task, parent.experiment_name, parent.dataset_id, parent.params, parent.id) RETURNING id INTO run_id;
        PERFORM enqueue_run(run_id);
    END IF;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason)
    VALUES (request_comparison.run_id, request_comparison.kind, request_comparison.requested_by, request_comparison.reason);
END $$;
COMMENT ON FUNCTION request_comparison IS 'Starts a run of kind compare for the candidate of an earlier run, or joins the task''s open run. Returns nulls if the earlier run did not succeed.';

CREATE FUNCTION request_score(task text, params jsonb, requested_by text, reason text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    run bigint;
BEGIN
    INSERT INTO pipeline_runs (kind, task, params) VALUES ('score', request_score.task, request_score.params) RETURNING id INTO run;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason) VALUES (run, 'api', request_score.requested_by, request_score.reason);
    PERFORM enqueue_run(run);
    RETURN run;
END $$;
COMMENT ON FUNCTION request_score IS 'Starts a run of kind score and returns its id.';

CREATE FUNCTION cancel_run(run bigint, requested_by text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found pipeline_runs;
BEGIN
    SELECT * INTO found FROM pipeline_runs WHERE id = run FOR UPDATE;
    IF found.id IS NULL THEN RETURN 'unknown'; END IF;
    IF found.state = 'QUEUED' THEN
        UPDATE pipeline_runs SET state = 'CANCELLED', finished_at = now(),
            reason = format('Cancelled by %s: %s', cancel_run.requested_by, cancel_run.reason) WHERE id = run;
        RETURN 'cancelled';
    END IF;
    IF found.state <> 'RUNNING' THEN RETURN 'over'; END IF;
    UPDATE pipeline_runs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
        reason = coalesce(pipeline_runs.reason, format('Cancelled by %s: %s', cancel_run.requested_by, cancel_run.reason)) WHERE id = run;
    RETURN 'requested';
END $$;
COMMENT ON FUNCTION cancel_run IS 'Cancels a run. Returns cancelled, requested (its worker stops soon), over or unknown.';

CREATE FUNCTION retry_run(run bigint, requested_by text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found pipeline_runs;
    other bigint;
BEGIN
    LOCK TABLE pipeline_triggers IN EXCLUSIVE MODE;
    SELECT * INTO found FROM pipeline_runs WHERE id = run FOR UPDATE;
    IF found.id IS NULL THEN RETURN 'unknown'; END IF;
    IF found.state IN ('QUEUED', 'RUNNING') THEN RETURN 'running'; END IF;
    -- A run whose alias could not be moved has SUCCEEDED without a successful step promote.
    IF found.state = 'SUCCEEDED' AND NOT EXISTS (
        SELECT FROM pipeline_steps s WHERE s.run_id = run AND s.name = 'promote' AND s.state = 'FAILED'
          AND NOT EXISTS (SELECT FROM pipeline_steps d WHERE d.run_id = run AND d.name = 'promote' AND d.state <> 'FAILED')
    ) THEN RETURN 'nothing'; END IF;
    SELECT id INTO other FROM pipeline_runs r
    WHERE r.task = found.task AND r.state IN ('QUEUED', 'RUNNING') AND r.kind <> 'score' AND found.kind <> 'score';
    IF other IS NOT NULL THEN RETURN 'open run ' || other; END IF;
    UPDATE pipeline_runs SET state = 'QUEUED', reason = NULL, finished_at = NULL, cancel_requested_at = NULL, deaths = 0,
        lease_token = NULL, heartbeat_at = NULL WHERE id = run;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason) VALUES (run, 'manual', retry_run.requested_by, retry_run.reason);
    PERFORM enqueue_run(run);
    RETURN 'queued';
END $$;
COMMENT ON FUNCTION retry_run IS 'Continues a FAILED or CANCELLED run, or one whose alias could not be moved, at its first unfinished step. Returns queued, running, nothing, unknown, or open run N if another run of the task is open.';

CREATE FUNCTION promote_run(run bigint, moved_by text, reason text, OUT outcome text, OUT event_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    its_task text;
    decision promotion_decisions;
    model    model_versions;
    moved    alias_events;
BEGIN
    SELECT r.task INTO its_task FROM pipeline_runs r WHERE r.id = run;
    IF its_task IS NULL THEN outcome := 'unknown'; RETURN; END IF;
    SELECT * INTO decision FROM promotion_decisions d WHERE d.run_id = run ORDER BY d.id DESC LIMIT 1 FOR UPDATE;
    IF decision.verdict IS DISTINCT FROM 'PROMOTE' THEN outcome := 'not promoted'; RETURN; END IF;
    event_id := decision.alias_event_id;
    IF event_id IS NOT NULL THEN outcome := 'already'; RETURN; END IF;
    SELECT * INTO model FROM model_versions m
    WHERE m.experiment_name = decision.candidate_name AND m.version = decision.candidate_version AND m.status = 'READY'
    ORDER BY m.first_seen_at DESC LIMIT 1;
    IF model.id IS NULL THEN outcome := 'not ready'; RETURN; END IF;
    moved := move_alias(its_task, 'champion', model.experiment_name, model.version, model.digest, promote_run.moved_by,
                        promote_run.reason, decision.expected_event_id, NULL, run);
    IF moved.id IS NULL THEN outcome := 'champion changed'; RETURN; END IF;
    UPDATE promotion_decisions SET alias_event_id = moved.id WHERE id = decision.id;
    event_id := moved.id;
    outcome := 'moved';
END $$;
COMMENT ON FUNCTION promote_run IS 'Carries out the verdict PROMOTE of a run: moves the alias champion to its published version, unless the alias has moved since the evaluation. outcome: moved, already, not promoted, not ready, champion changed, unknown.';

-- Views.
CREATE VIEW pipeline_overview AS
SELECT r.id AS run_id, r.kind, r.task, r.experiment_name, r.state, r.reason, r.created_at, r.started_at, r.finished_at,
       extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at)::double precision AS seconds,
       r.parent_run_id, r.worker, r.cancel_requested_at, x.digest AS dataset_digest, x.images AS dataset_images,
       t.trigger, t.requested_by, t.trigger_reason, t.triggers,
       s.steps, d.verdict, d.reasons, d.candidate_version, c.gain, c.gain_lower, c.p_better, e.moved_by AS promoted_by, e.at AS promoted_at,
       e.id AS alias_event_id
FROM pipeline_runs r
LEFT JOIN datasets x ON x.id = r.dataset_id
LEFT JOIN LATERAL (
    SELECT (array_agg(g.kind ORDER BY g.id))[1] AS trigger, (array_agg(g.requested_by ORDER BY g.id))[1] AS requested_by,
           (array_agg(g.reason ORDER BY g.id))[1] AS trigger_reason, count(*) AS triggers
    FROM pipeline_triggers g WHERE g.run_id = r.id
) AS t ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('name', l.name, 'state', l.state, 'attempt', l.attempt, 'seconds',
                         extract(epoch FROM coalesce(l.finished_at, now()) - l.started_at), 'progress', l.progress, 'error', l.error)
                     ORDER BY l.ordinal) AS steps
    FROM (SELECT DISTINCT ON (p.name) p.* FROM pipeline_steps p WHERE p.run_id = r.id ORDER BY p.name, p.attempt DESC) AS l
) AS s ON true
LEFT JOIN LATERAL (SELECT * FROM promotion_decisions p WHERE p.run_id = r.id ORDER BY p.id DESC LIMIT 1) AS d ON true
LEFT JOIN LATERAL (
    SELECT * FROM comparisons p WHERE p.run_id = r.id AND p.decides ORDER BY p.p_better, p.id DESC LIMIT 1
) AS c ON true
LEFT JOIN alias_events e ON e.id = d.alias_event_id;
COMMENT ON VIEW pipeline_overview IS 'Runs of the pipeline with their steps, verdict and promotion: SELECT * FROM pipeline_overview ORDER BY run_id DESC LIMIT 20.';
COMMENT ON COLUMN pipeline_overview.run_id IS 'Run: pipeline_runs.id.';
COMMENT ON COLUMN pipeline_overview.kind IS 'retrain, compare or score.';
COMMENT ON COLUMN pipeline_overview.task IS 'Classification task.';
COMMENT ON COLUMN pipeline_overview.experiment_name IS 'Experiment whose recipe is trained, null for a run of kind score.';
COMMENT ON COLUMN pipeline_overview.state IS 'QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN pipeline_overview.reason IS 'Reason of the state.';
COMMENT ON COLUMN pipeline_overview.created_at IS 'Time of the first trigger.';
COMMENT ON COLUMN pipeline_overview.started_at IS 'Time at which a worker first took it.';
COMMENT ON COLUMN pipeline_overview.finished_at IS 'End of the run, null while it is open.';
COMMENT ON COLUMN pipeline_overview.seconds IS 'Time since the start, or from start to end, in seconds.';
COMMENT ON COLUMN pipeline_overview.parent_run_id IS 'Run whose candidate a run of kind compare decides about.';
COMMENT ON COLUMN pipeline_overview.worker IS 'Name of the worker that executes it, or that did so last.';
COMMENT ON COLUMN pipeline_overview.cancel_requested_at IS 'Time at which cancellation was requested, null otherwise.';
COMMENT ON COLUMN pipeline_overview.dataset_digest IS 'Digest of its dataset, null before the step ingest.';
COMMENT ON COLUMN pipeline_overview.dataset_images IS 'Number of images of its dataset.';
COMMENT ON COLUMN pipeline_overview.trigger IS 'Kind of the first trigger: manual, schedule, labels, drift, upload or api.';
COMMENT ON COLUMN pipeline_overview.requested_by IS 'Person or program of the first trigger.';
COMMENT ON COLUMN pipeline_overview.trigger_reason IS 'Reason of the first trigger.';
COMMENT ON COLUMN pipeline_overview.triggers IS 'Number of triggers, with those that joined.';
COMMENT ON COLUMN pipeline_overview.steps IS 'Latest attempt of each step, in order: a JSON array of {name, state, attempt, seconds, progress, error}.';
COMMENT ON COLUMN pipeline_overview.verdict IS 'PROMOTE, REFUSE or UNDECIDED, null before the step compare.';
COMMENT ON COLUMN pipeline_overview.reasons IS 'Reasons of the verdict.';
COMMENT ON COLUMN pipeline_overview.candidate_version IS 'Published version of the candidate, null if it is not published.';
COMMENT ON COLUMN pipeline_overview.gain IS 'Accuracy of the candidate minus that of the champion on the deciding set with the lowest p-value.';
COMMENT ON COLUMN pipeline_overview.gain_lower IS 'Lower 95 % confidence bound of the gain.';
COMMENT ON COLUMN pipeline_overview.p_better IS 'One-sided p-value of McNemar''s exact test on that set.';
COMMENT ON COLUMN pipeline_overview.promoted_by IS 'Person or program that promoted the candidate, null if it was not promoted.';
COMMENT ON COLUMN pipeline_overview.promoted_at IS 'Time of the promotion.';
COMMENT ON COLUMN pipeline_overview.alias_event_id IS 'Move of the alias: alias_history.event_id.';

CREATE VIEW step_durations AS
SELECT s.run_id, r.task, r.kind, s.ordinal, s.name, s.attempt, s.state, s.worker, s.started_at,
       extract(epoch FROM coalesce(s.finished_at, now()) - s.started_at)::double precision AS seconds
FROM pipeline_steps s JOIN pipeline_runs r ON r.id = s.run_id;
COMMENT ON VIEW step_durations IS 'Duration of every attempt of a step: SELECT name, avg(seconds) FROM step_durations WHERE state = ''SUCCEEDED'' GROUP BY name.';
COMMENT ON COLUMN step_durations.run_id IS 'Run: pipeline_runs.id.';
COMMENT ON COLUMN step_durations.task IS 'Classification task.';
COMMENT ON COLUMN step_durations.kind IS 'retrain, compare or score.';
COMMENT ON COLUMN step_durations.ordinal IS 'Position in the run, from 1.';
COMMENT ON COLUMN step_durations.name IS 'Step.';
COMMENT ON COLUMN step_durations.attempt IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN step_durations.state IS 'RUNNING, SUCCEEDED, FAILED or SKIPPED.';
COMMENT ON COLUMN step_durations.worker IS 'Name of the worker.';
COMMENT ON COLUMN step_durations.started_at IS 'Start of the attempt.';
COMMENT ON COLUMN step_durations.seconds IS 'Duration in seconds, until now while it is RUNNING.';

CREATE VIEW dataset_lineage AS
WITH RECURSIVE chain AS (
    SELECT id AS dataset_id, id AS ancestor_id, 0 AS generations FROM datasets
    UNION ALL
    SELECT c.dataset_id, a.parent_id, c.generations + 1 FROM chain c JOIN datasets a ON a.id = c.ancestor_id WHERE a.parent_id IS NOT NULL
)
SELECT d.task, d.digest, d.created_at, d.created_by, c.generations, a.digest AS ancestor_digest, a.images AS ancestor_images,
       a.sources AS ancestor_sources, a.created_at AS ancestor_created_at,
       ARRAY(SELECT r.id FROM pipeline_runs r WHERE r.dataset_id = a.id ORDER BY r.id) AS ancestor_runs
FROM chain c JOIN datasets d ON d.id = c.dataset_id JOIN datasets a ON a.id = c.ancestor_id;
COMMENT ON VIEW dataset_lineage IS 'Each dataset with itself and all versions that it adds to: SELECT * FROM dataset_lineage WHERE digest = ''...'' ORDER BY generations.';
COMMENT ON COLUMN dataset_lineage.task IS 'Classification task.';
COMMENT ON COLUMN dataset_lineage.digest IS 'Dataset: datasets.digest.';
COMMENT ON COLUMN dataset_lineage.created_at IS 'Time of its creation.';
COMMENT ON COLUMN dataset_lineage.created_by IS 'Program or person that created it.';
COMMENT ON COLUMN dataset_lineage.generations IS 'Number of versions back: 0 is the dataset itself, 1 its parent.';
COMMENT ON COLUMN dataset_lineage.ancestor_digest IS 'Version of this row: datasets.digest.';
COMMENT ON COLUMN dataset_lineage.ancestor_images IS 'Number of images of that version.';
COMMENT ON COLUMN dataset_lineage.ancestor_sources IS 'Sources of that version, with their numbers of images.';
COMMENT ON COLUMN dataset_lineage.ancestor_created_at IS 'Time of creation of that version.';
COMMENT ON COLUMN dataset_lineage.ancestor_runs IS 'Runs with that version.';

CREATE VIEW retraining_history AS
SELECT o.task, o.run_id, o.kind, o.experiment_name, o.created_at, o.finished_at, o.state, o.trigger, o.requested_by, o.dataset_digest,
       o.gain, o.gain_lower, o.p_better, o.verdict, o.reasons[1] AS first_reason, o.candidate_version, o.promoted_by, o.promoted_at,
       b.at AS rolled_back_at, b.moved_by AS rolled_back_by
FROM pipeline_overview o
LEFT JOIN LATERAL (
    SELECT e.at, e.moved_by FROM alias_events e WHERE e.takes_back = o.alias_event_id ORDER BY e.id LIMIT 1
) AS b ON true
WHERE o.kind <> 'score';
COMMENT ON VIEW retraining_history IS 'Retrainings of a task with gain, p-value, verdict and promotion: SELECT * FROM retraining_history WHERE task = ''mnist'' ORDER BY run_id DESC.';
COMMENT ON COLUMN retraining_history.task IS 'Classification task.';
COMMENT ON COLUMN retraining_history.run_id IS 'Run: pipeline_runs.id.';
COMMENT ON COLUMN retraining_history.kind IS 'retrain or compare.';
COMMENT ON COLUMN retraining_history.experiment_name IS 'Experiment whose recipe is trained.';
COMMENT ON COLUMN retraining_history.created_at IS 'Time of the first trigger.';
COMMENT ON COLUMN retraining_history.finished_at IS 'End of the run, null while it is open.';
COMMENT ON COLUMN retraining_history.state IS 'QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN retraining_history.trigger IS 'Kind of the first trigger.';
COMMENT ON COLUMN retraining_history.requested_by IS 'Person or program of the first trigger.';
COMMENT ON COLUMN retraining_history.dataset_digest IS 'Digest of the dataset.';
COMMENT ON COLUMN retraining_history.gain IS 'Accuracy of the candidate minus that of the champion on the deciding set with the lowest p-value.';
COMMENT ON COLUMN retraining_history.gain_lower IS 'Lower 95 % confidence bound of the gain.';
COMMENT ON COLUMN retraining_history.p_better IS 'One-sided p-value of McNemar''s exact test on that set.';
COMMENT ON COLUMN retraining_history.verdict IS 'PROMOTE, REFUSE or UNDECIDED, null without one.';
COMMENT ON COLUMN retraining_history.first_reason IS 'First reason of the verdict.';
COMMENT ON COLUMN retraining_history.candidate_version IS 'Published version of the candidate, null if it is not published.';
COMMENT ON COLUMN retraining_history.promoted_by IS 'Person or program that promoted the candidate, null if it was not promoted.';
COMMENT ON COLUMN retraining_history.promoted_at IS 'Time of the promotion.';
COMMENT ON COLUMN retraining_history.rolled_back_at IS 'Time of the rollback of that promotion, null without one.';
COMMENT ON COLUMN retraining_history.rolled_back_by IS 'Person or program that rolled it back.';

CREATE VIEW labels_waiting AS
SELECT l.task, i.digest AS image_digest, l.label, l.source, l.labelled_by, l.labelled_at, i.original_url IS NOT NULL AS has_original
FROM labels l JOIN images i ON i.id = l.image_id
LEFT JOIN (
    SELECT r.task, max(s.started_at) AS read_at FROM pipeline_steps s JOIN pipeline_runs r ON r.id = s.run_id
    WHERE s.name = 'ingest' AND s.state = 'SUCCEEDED' AND coalesce(r.params ->> 'dataset', 'latest') = 'latest' GROUP BY r.task
) AS n ON n.task = l.task
WHERE l.replaced_at IS NULL
  AND (n.read_at IS NULL OR l.labelled_at > n.read_at) -- an older label is in a dataset, or the step says why none can have it
  AND NOT EXISTS (
      SELECT FROM dataset_images d JOIN datasets s ON s.id = d.dataset_id
      WHERE d.image_digest = i.digest AND s.task = l.task AND d.label = l.label);
COMMENT ON VIEW labels_waiting IS 'Current labels that no run has read yet: SELECT task, source, count(*) FROM labels_waiting GROUP BY task, source.';
COMMENT ON COLUMN labels_waiting.task IS 'Classification task.';
COMMENT ON COLUMN labels_waiting.image_digest IS 'Image: images.digest.';
COMMENT ON COLUMN labels_waiting.label IS 'Label.';
COMMENT ON COLUMN labels_waiting.source IS 'volunteered, disagreement, random, novel or confirmed.';
COMMENT ON COLUMN labels_waiting.labelled_by IS 'Person or program that labeled it.';
COMMENT ON COLUMN labels_waiting.labelled_at IS 'Time of the label.';
COMMENT ON COLUMN labels_waiting.has_original IS 'Whether the original is stored. Without it, no dataset can have the image.';

CREATE VIEW champion_timeline AS
SELECT e.task, e.experiment_name, e.version, e.model_digest, e.at AS since,
       lead(e.at) OVER (PARTITION BY e.task ORDER BY e.id) AS until, e.moved_by, e.reason, e.run_id, e.takes_back IS NOT NULL AS is_rollback,
       e.id AS event_id
FROM alias_events e WHERE e.alias = 'champion';
COMMENT ON VIEW champion_timeline IS 'Champions of each task with the time that each one was champion: SELECT * FROM champion_timeline WHERE task = ''mnist'' ORDER BY since.';
COMMENT ON COLUMN champion_timeline.task IS 'Classification task.';
COMMENT ON COLUMN champion_timeline.experiment_name IS 'Experiment of the champion.';
COMMENT ON COLUMN champion_timeline.version IS 'Version of the champion.';
COMMENT ON COLUMN champion_timeline.model_digest IS 'Digest of that version: model_versions.digest.';
COMMENT ON COLUMN champion_timeline.since IS 'Time from which it was champion.';
COMMENT ON COLUMN champion_timeline.until IS 'Time until which it was champion, null for the current one.';
COMMENT ON COLUMN champion_timeline.moved_by IS 'Person or program that moved the alias.';
COMMENT ON COLUMN champion_timeline.reason IS 'Reason that was stated.';
COMMENT ON COLUMN champion_timeline.run_id IS 'Run of the pipeline whose verdict the move carried out or undid, null for any other move.';
COMMENT ON COLUMN champion_timeline.is_rollback IS 'Whether the move was a rollback.';
COMMENT ON COLUMN champion_timeline.event_id IS 'Move of the alias: alias_history.event_id.';

CREATE VIEW lineage AS
SELECT p.id AS prediction_id, p.created_at, i.digest AS image_digest, i.original_url, p.task, p.label,
       m.experiment_name, m.version, m.digest AS model_digest, r.id AS run_id, t.seed, r.created_at AS trained_at, r.worker,
       d.digest AS dataset_digest, d.sources AS dataset_sources, m.training ->> 'data_sha256' AS data_sha256,
       m.training ->> 'code_sha256' AS code_sha256, m.training
FROM predictions p
JOIN images i ON i.id = p.image_id
JOIN model_versions m ON m.id = p.model_version_id
LEFT JOIN trainings t ON t.keras_digest = m.digest AND t.run_id = (m.training ->> 'run_id')::bigint
LEFT JOIN pipeline_runs r ON r.id = t.run_id
LEFT JOIN datasets d ON d.id = r.dataset_id;
CREATE INDEX trainings_by_digest ON trainings (keras_digest) WHERE keras_digest IS NOT NULL;
COMMENT ON VIEW lineage IS 'Origin of a prediction: image, model version, training run, dataset, its sources, and code: SELECT * FROM lineage WHERE prediction_id = ''...''.';
COMMENT ON COLUMN lineage.prediction_id IS 'Prediction: predictions.id.';
COMMENT ON COLUMN lineage.created_at IS 'Time of the prediction.';
COMMENT ON COLUMN lineage.image_digest IS 'Image: images.digest.';
COMMENT ON COLUMN lineage.original_url IS 'Address of the stored original, null if it is not stored.';
COMMENT ON COLUMN lineage.task IS 'Classification task.';
COMMENT ON COLUMN lineage.label IS 'Predicted label.';
COMMENT ON COLUMN lineage.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN lineage.version IS 'Version of the model.';
COMMENT ON COLUMN lineage.model_digest IS 'Digest of the model: model_versions.digest.';
COMMENT ON COLUMN lineage.run_id IS 'Run of the pipeline that trained it, null if none of this database did.';
COMMENT ON COLUMN lineage.seed IS 'Seed of the training.';
COMMENT ON COLUMN lineage.trained_at IS 'Time at which that run was requested.';
COMMENT ON COLUMN lineage.worker IS 'Worker of that run.';
COMMENT ON COLUMN lineage.dataset_digest IS 'Dataset of that run: datasets.digest.';
COMMENT ON COLUMN lineage.dataset_sources IS 'Sources of that dataset, with their numbers of images.';
COMMENT ON COLUMN lineage.data_sha256 IS 'SHA-256 of the training data by the model''s card.';
COMMENT ON COLUMN lineage.code_sha256 IS 'SHA-256 of the training code by the model''s card.';
COMMENT ON COLUMN lineage.training IS 'Origin of the model as its card states it.';
