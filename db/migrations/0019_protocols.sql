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
