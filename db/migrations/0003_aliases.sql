-- Aliases: names such as champion that point to a version of a model, moved by people. Every move is a row; nothing is overwritten.

CREATE TABLE alias_events (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                   timestamptz NOT NULL DEFAULT clock_timestamp(),
    task                 text NOT NULL,
    alias                text NOT NULL,
    from_experiment_name text,
    from_version         integer,
    experiment_name      text NOT NULL,
    version              integer NOT NULL,
    model_digest         text,
    moved_by             text NOT NULL,
    reason               text NOT NULL
);
CREATE INDEX alias_events_by_alias ON alias_events (task, alias, id);
COMMENT ON TABLE alias_events IS 'Every move of an alias; the last one of a task and alias says where it points. Rows are only added.';
COMMENT ON COLUMN alias_events.id IS 'Rises with time.';
COMMENT ON COLUMN alias_events.at IS 'When it was moved.';
COMMENT ON COLUMN alias_events.task IS 'The task: each has its own aliases.';
COMMENT ON COLUMN alias_events.alias IS 'The alias, as champion.';
COMMENT ON COLUMN alias_events.from_experiment_name IS 'Experiment that it pointed to before; null at its first move.';
COMMENT ON COLUMN alias_events.from_version IS 'Version that it pointed to before; null at its first move.';
COMMENT ON COLUMN alias_events.experiment_name IS 'Experiment that it points to since.';
COMMENT ON COLUMN alias_events.version IS 'Version that it points to since.';
COMMENT ON COLUMN alias_events.model_digest IS 'Digest of that version at the time, see model_versions.digest.';
COMMENT ON COLUMN alias_events.moved_by IS 'Who moved it.';
COMMENT ON COLUMN alias_events.reason IS 'Why.';

CREATE VIEW aliases AS
SELECT DISTINCT ON (task, alias) task, alias, experiment_name, version, model_digest, at AS moved_at, moved_by, reason, id AS event_id
FROM alias_events
ORDER BY task, alias, id DESC;
COMMENT ON VIEW aliases IS 'Where each alias points now: SELECT * FROM aliases.';
COMMENT ON COLUMN aliases.task IS 'See alias_events.task.';
COMMENT ON COLUMN aliases.alias IS 'See alias_events.alias.';
COMMENT ON COLUMN aliases.experiment_name IS 'Experiment that it points to.';
COMMENT ON COLUMN aliases.version IS 'Version that it points to.';
COMMENT ON COLUMN aliases.model_digest IS 'Digest of that version when the alias was moved.';
COMMENT ON COLUMN aliases.moved_at IS 'When it was last moved.';
COMMENT ON COLUMN aliases.moved_by IS 'Who moved it.';
COMMENT ON COLUMN aliases.reason IS 'Why.';
COMMENT ON COLUMN aliases.event_id IS 'See alias_events.id.';

CREATE VIEW alias_history AS
SELECT at, task, alias, from_experiment_name, from_version, experiment_name, version, model_digest, moved_by, reason, id AS event_id
FROM alias_events;
COMMENT ON VIEW alias_history IS 'Every move of every alias: SELECT * FROM alias_history WHERE alias = ''champion'' ORDER BY event_id DESC.';
COMMENT ON COLUMN alias_history.at IS 'When it was moved.';
COMMENT ON COLUMN alias_history.task IS 'See alias_events.task.';
COMMENT ON COLUMN alias_history.alias IS 'See alias_events.alias.';
COMMENT ON COLUMN alias_history.from_experiment_name IS 'Experiment that it pointed to before; null at its first move.';
COMMENT ON COLUMN alias_history.from_version IS 'Version that it pointed to before; null at its first move.';
COMMENT ON COLUMN alias_history.experiment_name IS 'Experiment that it points to since.';
COMMENT ON COLUMN alias_history.version IS 'Version that it points to since.';
COMMENT ON COLUMN alias_history.model_digest IS 'Digest of that version at the time.';
COMMENT ON COLUMN alias_history.moved_by IS 'Who moved it.';
COMMENT ON COLUMN alias_history.reason IS 'Why.';
COMMENT ON COLUMN alias_history.event_id IS 'See alias_events.id.';

CREATE VIEW tasks AS
SELECT coalesce(e.task, m.task) AS task, coalesce(e.experiments, 0) AS experiments, coalesce(m.versions, 0) AS ready_versions, m.classes,
       a.experiment_name AS champion, a.version AS champion_version
FROM (SELECT task, count(*) AS experiments FROM experiments GROUP BY task) AS e
FULL JOIN (
    SELECT task, count(*) FILTER (WHERE status = 'READY') AS versions,
           (array_agg(to_jsonb(classes) ORDER BY status = 'READY' DESC, first_seen_at DESC))[1] AS classes
    FROM model_versions GROUP BY task
) AS m ON m.task = e.task
LEFT JOIN aliases a ON a.task = coalesce(e.task, m.task) AND a.alias = 'champion';
COMMENT ON VIEW tasks IS 'What experiments learn to tell apart: SELECT * FROM tasks.';
COMMENT ON COLUMN tasks.task IS 'Its name.';
COMMENT ON COLUMN tasks.experiments IS 'How many experiments it has.';
COMMENT ON COLUMN tasks.ready_versions IS 'How many versions of models serve it.';
COMMENT ON COLUMN tasks.classes IS 'Its labels, as its newest served version has them; null before there was a model.';
COMMENT ON COLUMN tasks.champion IS 'Experiment that its alias champion points to.';
COMMENT ON COLUMN tasks.champion_version IS 'Version that its alias champion points to.';

-- Moves wait for each other, so that each knows where the one before it led. Nothing is added where it leads nowhere new.
-- With `expected`, nothing is moved either when the last move is another than that.
CREATE FUNCTION move_alias(
    task text, alias text, experiment_name text, version integer, model_digest text, moved_by text, reason text,
    expected bigint DEFAULT NULL
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
    INSERT INTO alias_events (task, alias, from_experiment_name, from_version, experiment_name, version, model_digest, moved_by, reason)
    VALUES (task, alias, last.experiment_name, last.version, experiment_name, version, model_digest, moved_by, reason)
    RETURNING * INTO added;
    RETURN added;
END $$;
COMMENT ON FUNCTION move_alias IS 'Points an alias of a task to a version of a model, and returns its last move; null where that is not the expected one.';

CREATE FUNCTION first_champions() RETURNS SETOF alias_events LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.* FROM (
        SELECT DISTINCT ON (m.task) m.* FROM model_versions m
        WHERE m.status = 'READY' AND m.test_accuracy IS NOT NULL
          AND NOT EXISTS (SELECT FROM alias_events a WHERE a.task = m.task AND a.alias = 'champion')
          AND NOT EXISTS (SELECT FROM model_versions l WHERE l.task = m.task AND l.status = 'LOADING')
        ORDER BY m.task, m.test_accuracy DESC, m.experiment_name, m.version DESC
    ) AS best
    CROSS JOIN LATERAL move_alias(best.task, 'champion', best.experiment_name, best.version, best.digest, 'ml-ops-starter',
        'the best test accuracy of those that serve: ' || best.test_accuracy) AS e
$$;
COMMENT ON FUNCTION first_champions IS 'Gives each task without a champion its best served version by test accuracy, and returns these moves.';

GRANT SELECT ON alias_events, aliases, alias_history, tasks TO mlops_app, mlops_read;
REVOKE EXECUTE ON FUNCTION move_alias, first_champions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION move_alias, first_champions TO mlops_app;
