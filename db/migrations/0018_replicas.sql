-- Replicas: services that share this database, each with a model directory of its own. The status of a version is that of the replica
-- that serves it best. A version is GONE when no replica that was seen within a minute has it.

CREATE TABLE replicas (
    id            uuid PRIMARY KEY,
    host          text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL
);
COMMENT ON TABLE replicas IS 'Replicas of the inference service. All worker processes of one service are one replica. It removes its row when it stops; a row that was not seen for a day is deleted.';
COMMENT ON COLUMN replicas.id IS 'Id of the replica; replica of GET /readyz.';
COMMENT ON COLUMN replicas.host IS 'Name of its machine or container.';
COMMENT ON COLUMN replicas.first_seen_at IS 'Time of its first row.';
COMMENT ON COLUMN replicas.seen_at IS 'Time of its last sign of life, which comes every 15 seconds. After a minute without one it no longer counts.';

CREATE TABLE replica_versions (
    replica_id       uuid NOT NULL REFERENCES replicas ON DELETE CASCADE,
    model_version_id uuid NOT NULL REFERENCES model_versions ON DELETE CASCADE,
    status           text NOT NULL CHECK (status IN ('READY', 'LOADING', 'FAILED')),
    reason           text,
    status_since     timestamptz NOT NULL,
    PRIMARY KEY (replica_id, model_version_id),
    CHECK ((status = 'FAILED') = (reason IS NOT NULL))
);
CREATE INDEX replica_versions_by_version ON replica_versions (model_version_id);
COMMENT ON TABLE replica_versions IS 'Model versions in the model directory of each replica.';
COMMENT ON COLUMN replica_versions.replica_id IS 'Replica, see replicas.id.';
COMMENT ON COLUMN replica_versions.model_version_id IS 'Model version, see model_versions.id.';
COMMENT ON COLUMN replica_versions.status IS 'READY (this replica serves it), LOADING, or FAILED (reason has the error).';
COMMENT ON COLUMN replica_versions.reason IS 'Error of a FAILED version, null for any other status.';
COMMENT ON COLUMN replica_versions.status_since IS 'Time of the last change of status.';

CREATE VIEW live_replicas AS SELECT id, host, first_seen_at, seen_at FROM replicas WHERE seen_at > now() - interval '1 minute';
COMMENT ON VIEW live_replicas IS 'Replicas that were seen within a minute.';
COMMENT ON COLUMN live_replicas.id IS 'Id of the replica.';
COMMENT ON COLUMN live_replicas.host IS 'Name of its machine or container.';
COMMENT ON COLUMN live_replicas.first_seen_at IS 'Time of its first row.';
COMMENT ON COLUMN live_replicas.seen_at IS 'Time of its last sign of life.';

CREATE VIEW served AS
SELECT m.id AS model_version_id, m.experiment_name, m.version, m.task,
       count(*) FILTER (WHERE v.status = 'READY') AS replicas, (SELECT count(*) FROM live_replicas) AS of
FROM live_replicas r
JOIN replica_versions v ON v.replica_id = r.id
JOIN model_versions m ON m.id = v.model_version_id
GROUP BY m.id;
COMMENT ON VIEW served IS 'Model versions of the live replicas: by how many of how many each is served.';
COMMENT ON COLUMN served.model_version_id IS 'Model version, see model_versions.id.';
COMMENT ON COLUMN served.experiment_name IS 'Name of the model.';
COMMENT ON COLUMN served.version IS 'Version of the model.';
COMMENT ON COLUMN served.task IS 'Classification task.';
COMMENT ON COLUMN served.replicas IS 'Number of live replicas where the version is READY.';
COMMENT ON COLUMN served.of IS 'Number of live replicas.';

-- READY if any live replica serves the version, else LOADING if any loads it, else FAILED, with the reason that came first.
CREATE FUNCTION replica_states() RETURNS TABLE (id uuid, status text, reason text, since timestamptz)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    WITH best AS (
        SELECT DISTINCT ON (v.model_version_id) v.model_version_id, v.status, v.reason, v.status_since
        FROM live_replicas r JOIN replica_versions v ON v.replica_id = r.id
        ORDER BY v.model_version_id, array_position(ARRAY['READY', 'LOADING', 'FAILED'], v.status), v.status_since, v.replica_id
    )
    SELECT m.id, coalesce(b.status, 'GONE'), b.reason, b.status_since
    FROM model_versions m LEFT JOIN best b ON b.model_version_id = m.id
    WHERE (m.status, m.reason) IS DISTINCT FROM (coalesce(b.status, 'GONE'), b.reason)
$$;
COMMENT ON FUNCTION replica_states IS 'Model versions whose status is not that of the live replicas, with the status that they should have.';

CREATE FUNCTION refresh_model_states() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- Without a live replica nothing is known: the service is starting, or Postgres was away.
    IF NOT EXISTS (SELECT FROM live_replicas) OR NOT EXISTS (SELECT FROM replica_states()) THEN RETURN; END IF;
    PERFORM lock_summaries(); -- of two replicas at once, one waits
    UPDATE model_versions m
    SET status = s.status, reason = s.reason, status_since = CASE WHEN s.since > m.status_since THEN s.since ELSE now() END
    FROM replica_states() s WHERE m.id = s.id;
END $$;
COMMENT ON FUNCTION refresh_model_states IS 'Sets the status of all model versions from the versions of the live replicas. Without one, it changes nothing.';

COMMENT ON COLUMN model_versions.status IS 'READY (a replica serves it), else LOADING, else FAILED (reason has the error), or GONE (no replica that was seen within a minute has this content). replica_versions has the status of each replica.';
