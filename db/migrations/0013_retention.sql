-- Retention by two measures: the date, and the time that the service has run. A clock that is set ahead changes only the first.
-- What exists already is kept for another retention time, because how long the service has run since it was stored is unknown.

CREATE TABLE retention (
    seconds          double precision NOT NULL DEFAULT 0,
    events_keep_days double precision CHECK (events_keep_days > 0),
    is_only_row      boolean PRIMARY KEY DEFAULT true CHECK (is_only_row)
);
INSERT INTO retention DEFAULT VALUES;
COMMENT ON TABLE retention IS 'Retention: time that the service has run, and the retention time of events. One row.';
COMMENT ON COLUMN retention.seconds IS 'Time that the service has run with this database, in seconds, by a clock that no change of the date affects.';
COMMENT ON COLUMN retention.events_keep_days IS 'Retention time of prediction_events in days, set by EVENTS_KEEP_DAYS. Null keeps all events.';
COMMENT ON COLUMN retention.is_only_row IS 'Always true, which limits the table to one row.';

ALTER TABLE images ADD COLUMN stored_seconds double precision;
UPDATE images SET stored_seconds = 0 WHERE original_url IS NOT NULL;
COMMENT ON COLUMN images.stored_seconds IS 'Value of retention.seconds when the original was stored, null when none is stored.';

CREATE TABLE event_months (
    name    text PRIMARY KEY,
    rows    bigint NOT NULL,
    bytes   bigint NOT NULL,
    seconds double precision NOT NULL
);
COMMENT ON TABLE event_months IS 'Partitions of prediction_events as expire_events last saw them.';
COMMENT ON COLUMN event_months.name IS 'Name of the partition.';
COMMENT ON COLUMN event_months.rows IS 'Number of rows added, by the statistics of Postgres, which a crash resets.';
COMMENT ON COLUMN event_months.bytes IS 'Size of the rows, in bytes.';
COMMENT ON COLUMN event_months.seconds IS 'Value of retention.seconds when the last new event was seen.';

CREATE FUNCTION advance_retention(elapsed double precision) RETURNS double precision
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE retention SET seconds = seconds + least(greatest(elapsed, 0), 600) RETURNING seconds;
$$;
COMMENT ON FUNCTION advance_retention IS 'Adds seconds that the service has run, 600 at most, to retention.seconds, and returns it.';

CREATE FUNCTION expire_events(service_now timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    kept  double precision;
    ran   double precision;
    month record;
BEGIN
    SELECT r.events_keep_days, r.seconds INTO kept, ran FROM retention r;
    IF kept IS NULL THEN RETURN; END IF;
    INSERT INTO event_months AS m (name, rows, bytes, seconds)
    SELECT c.relname, pg_stat_get_tuples_inserted(c.oid), pg_relation_size(c.oid), ran
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'prediction_events'::regclass
    ON CONFLICT (name) DO UPDATE SET rows = excluded.rows, bytes = excluded.bytes,
        seconds = CASE WHEN excluded.rows > m.rows OR excluded.bytes > m.bytes THEN excluded.seconds ELSE m.seconds END
    WHERE (m.rows, m.bytes) IS DISTINCT FROM (excluded.rows, excluded.bytes);
    DELETE FROM event_months m WHERE to_regclass(m.name) IS NULL;
    FOR month IN
        SELECT m.name FROM event_months m
        WHERE to_date(right(m.name, 7), 'YYYY_MM') + interval '1 month' + kept * interval '1 day'
              <= least(now(), service_now) AT TIME ZONE 'UTC'
              AND m.seconds + kept * 86400 <= ran
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', month.name);
        DELETE FROM event_months m WHERE m.name = month.name;
        RETURN NEXT month.name;
    END LOOP;
END $$;
COMMENT ON FUNCTION expire_events IS 'Drops the months (UTC) whose events are all older than retention.events_keep_days by the clocks of Postgres and of the caller, and have been there while the service ran that long. Returns their partitions.';
