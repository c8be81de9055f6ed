-- A rollback says which move it takes back, so that the next one takes back the move before, and not the rollback.

ALTER TABLE alias_events ADD COLUMN takes_back bigint REFERENCES alias_events;
COMMENT ON COLUMN alias_events.takes_back IS 'The move that it takes back, where it is a rollback.';

CREATE OR REPLACE VIEW alias_history AS
SELECT at, task, alias, from_experiment_name, from_version, experiment_name, version, model_digest, moved_by, reason, id AS event_id,
       takes_back
FROM alias_events;
COMMENT ON COLUMN alias_history.takes_back IS 'See alias_events.takes_back.';

DROP FUNCTION move_alias;
CREATE FUNCTION move_alias(
    task text, alias text, experiment_name text, version integer, model_digest text, moved_by text, reason text,
    expected bigint DEFAULT NULL, takes_back bigint DEFAULT NULL
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
        task, alias, from_experiment_name, from_version, experiment_name, version, model_digest, moved_by, reason, takes_back
    )
    VALUES (task, alias, last.experiment_name, last.version, experiment_name, version, model_digest, moved_by, reason, takes_back)
    RETURNING * INTO added;
    RETURN added;
END $$;
COMMENT ON FUNCTION move_alias IS 'Points an alias of a task to a version of a model, and returns its last move; null where that is not the expected one.';
REVOKE EXECUTE ON FUNCTION move_alias FROM PUBLIC;
GRANT EXECUTE ON FUNCTION move_alias TO mlops_app;

-- A version that was seen while it was being compiled learns later what it is.
GRANT UPDATE (bytes, parity, test_accuracy) ON model_versions TO mlops_app;
