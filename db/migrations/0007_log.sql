-- A log that costs less. The service copies events straight into their month, without a look at another table for each of them,
-- and says what they add to the summaries, once for each prediction and minute.

ALTER TABLE prediction_events DROP CONSTRAINT prediction_events_prediction_id_fkey;
-- For people and their tools. count_events keeps it for events that are added, keep_events for predictions that are deleted.
ALTER TABLE prediction_events ADD FOREIGN KEY (prediction_id) REFERENCES predictions NOT ENFORCED;

CREATE FUNCTION count_events(predictions uuid[], events bigint[], latest timestamptz[]) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    counted bigint;
BEGIN
    PERFORM lock_summaries();
    UPDATE predictions p SET events = p.events + c.events, last_event_at = greatest(p.last_event_at, c.latest)
    FROM unnest(count_events.predictions, count_events.events, count_events.latest) AS c (id, events, latest) WHERE p.id = c.id;
    GET DIAGNOSTICS counted = ROW_COUNT;
    IF counted <> cardinality(count_events.predictions) THEN
        RAISE foreign_key_violation USING MESSAGE = 'events of predictions that are not there, or of one of them twice';
    END IF;
END $$;
COMMENT ON FUNCTION count_events IS 'Adds events to the counts of predictions, each of which is named once. All of them must be there.';

CREATE FUNCTION count_traffic(minutes timestamptz[], versions uuid[], events bigint[], cached bigint[], milliseconds double precision[])
RETURNS void LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM lock_summaries();
    INSERT INTO traffic AS t (minute, model_version_id, events, cached, milliseconds)
    SELECT * FROM unnest(minutes, versions, count_traffic.events, count_traffic.cached, count_traffic.milliseconds) ORDER BY 1, 2
    ON CONFLICT (minute, model_version_id) DO UPDATE
    SET events = t.events + excluded.events, cached = t.cached + excluded.cached, milliseconds = t.milliseconds + excluded.milliseconds;
END $$;
COMMENT ON FUNCTION count_traffic IS 'Adds events to the traffic of minutes and versions, each pair of which is named once.';

-- Still for events that are added to prediction_events by its own name.
CREATE OR REPLACE FUNCTION summarise_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM count_events(array_agg(prediction_id), array_agg(events), array_agg(latest))
    FROM (SELECT prediction_id, count(*) AS events, max(at) AS latest FROM added GROUP BY 1) AS c;
    PERFORM count_traffic(array_agg(minute), array_agg(model_version_id), array_agg(events), array_agg(cached), array_agg(milliseconds))
    FROM (
        SELECT date_bin('1 minute', a.at, 'epoch') AS minute, p.model_version_id, count(*) AS events,
               count(*) FILTER (WHERE a.cached) AS cached, sum(a.milliseconds::double precision) AS milliseconds
        FROM added a JOIN predictions p ON p.id = a.prediction_id GROUP BY 1, 2
    ) AS c;
    RETURN NULL;
END $$;

CREATE FUNCTION keep_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM prediction_events WHERE prediction_id = OLD.id) THEN
        RAISE foreign_key_violation USING MESSAGE = format('prediction %s has events', OLD.id);
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER keep_events BEFORE DELETE ON predictions FOR EACH ROW EXECUTE FUNCTION keep_events();
COMMENT ON FUNCTION keep_events IS 'Refuses to delete a prediction that has events.';

CREATE OR REPLACE FUNCTION make_events_partition(at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    beginning timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    name      text := 'prediction_events_' || to_char(beginning, 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('make_events_partition'));
    IF to_regclass(name) IS NOT NULL THEN RETURN NULL; END IF;
    -- made apart and attached: that waits for nobody who reads the events
    EXECUTE format('CREATE TABLE %I (LIKE prediction_events INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE prediction_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   name, beginning AT TIME ZONE 'UTC', (beginning + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'Events of ' || to_char(beginning, 'YYYY-MM') || ' (UTC), see prediction_events.');
    EXECUTE format('GRANT INSERT ON %I TO mlops_app', name);
    RETURN name;
END $$;

DO $$
DECLARE
    month regclass;
BEGIN
    FOR month IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'prediction_events'::regclass LOOP
        EXECUTE format('GRANT INSERT ON %s TO mlops_app', month);
    END LOOP;
END $$;

-- A new prediction comes with the count of its first events, which saves a second version of its row.
GRANT INSERT (events) ON predictions TO mlops_app;
REVOKE EXECUTE ON FUNCTION count_events, count_traffic, keep_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_events, count_traffic TO mlops_app;

ALTER TABLE predictions SET (fillfactor = 50);
