-- Serving protocols: which of them a request used.

-- A constant default changes no row, however many there are. The partitions get the column with it.
ALTER TABLE prediction_events ADD COLUMN protocol text NOT NULL DEFAULT 'native';
COMMENT ON COLUMN prediction_events.protocol IS 'Protocol of the request: native (/api/v1.0), oip (Open Inference Protocol), tfs (TensorFlow Serving, KServe v1) or mlflow (scoring).';
-- A partition copies the comments of prediction_events when it is created, so existing ones have none.
DO $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'prediction_events'::regclass
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.protocol IS %L', partition,
                       col_description('prediction_events'::regclass, attnum))
        FROM pg_attribute WHERE attrelid = 'prediction_events'::regclass AND attname = 'protocol';
    END LOOP;
END $$;

CREATE VIEW protocol_usage AS
SELECT e.protocol, e.source, count(*) AS events, avg(e.milliseconds) AS mean_milliseconds,
       count(DISTINCT m.experiment_name) AS experiments, min(e.at) AS first_at, max(e.at) AS last_at
FROM prediction_events e JOIN predictions p ON p.id = e.prediction_id JOIN model_versions m ON m.id = p.model_version_id
WHERE e.at > now() - interval '30 days'
GROUP BY e.protocol, e.source;
COMMENT ON VIEW protocol_usage IS 'Serving protocols and client programs of the last 30 days: SELECT * FROM protocol_usage WHERE protocol = ''tfs'' ORDER BY last_at DESC.';
COMMENT ON COLUMN protocol_usage.protocol IS 'native, oip, tfs or mlflow: prediction_events.protocol.';
COMMENT ON COLUMN protocol_usage.source IS 'Client program, null without one.';
COMMENT ON COLUMN protocol_usage.events IS 'Number of answers, images times models.';
COMMENT ON COLUMN protocol_usage.mean_milliseconds IS 'Mean time of an answer, in milliseconds.';
COMMENT ON COLUMN protocol_usage.experiments IS 'Number of experiments that answered.';
COMMENT ON COLUMN protocol_usage.first_at IS 'Time of the first answer within the 30 days.';
COMMENT ON COLUMN protocol_usage.last_at IS 'Time of the last answer.';
