-- Probe: how many digits with known labels a model reads, and with which card it would read more.

ALTER TABLE model_versions
    ADD COLUMN probe_accuracy double precision,
    ADD COLUMN probe_digits   integer,
    ADD COLUMN probe_passed   boolean,
    ADD COLUMN probe_sentence text,
    ADD COLUMN probe_best     jsonb;
COMMENT ON COLUMN model_versions.probe_accuracy IS 'Share of the service''s probe digits read as the card states, 0 to 1. Null without a probe.';
COMMENT ON COLUMN model_versions.probe_digits IS 'Number of probe digits. 0 if the classes are not the ten digits, null before the model was READY.';
COMMENT ON COLUMN model_versions.probe_passed IS 'Whether probe_accuracy reaches the setting PROBE_MIN_ACCURACY of the service. Null without a probe.';
COMMENT ON COLUMN model_versions.probe_sentence IS 'Result of the probe as a sentence, for example: 12 % of 200 probe digits as stated; 91 % with input.invert: true.';
COMMENT ON COLUMN model_versions.probe_best IS 'Card keys under which the model reads more probe digits: accuracy, input, classes. Null if none is known.';
COMMENT ON COLUMN model_versions.input IS 'Input specification: height and width in pixels, scale, invert; offset, fit, transpose, channels and layout if they differ from their defaults.';

CREATE OR REPLACE FUNCTION first_champions() RETURNS SETOF alias_events LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    LOCK TABLE alias_events IN SHARE ROW EXCLUSIVE MODE; -- a move that another session makes now comes first
    SELECT e.* FROM (
        SELECT DISTINCT ON (m.task) m.* FROM model_versions m
        WHERE m.status = 'READY' AND m.test_accuracy IS NOT NULL AND m.probe_passed IS NOT FALSE
          AND NOT EXISTS (SELECT FROM alias_events a WHERE a.task = m.task AND a.alias = 'champion')
          AND NOT EXISTS (SELECT FROM model_versions l WHERE l.task = m.task AND l.status = 'LOADING')
        ORDER BY m.task, m.test_accuracy DESC, m.experiment_name, m.version DESC
    ) AS best
    CROSS JOIN LATERAL move_alias(best.task, 'champion', best.experiment_name, best.version, best.digest, 'ml-ops-starter',
        'the best test accuracy of those that serve: ' || best.test_accuracy) AS e
$$;
COMMENT ON FUNCTION first_champions IS 'Makes the READY version with the highest test accuracy the champion of every task without one, and returns these moves. Versions that fail the probe are left out.';
