-- Runs before the missing migrations, for databases of earlier commits. Changes nothing in others.

-- 0005 was 0006 for a few commits.
UPDATE _yoyo_migration SET migration_id = '0005_prediction_filters', migration_hash = encode(sha256('0005_prediction_filters'), 'hex')
WHERE migration_id = '0006_prediction_filters';

-- 0002 did not have this function at first, and 0009 comments on it. 0010 replaces it.
DO $$
BEGIN
    IF to_regclass('predictions') IS NOT NULL AND to_regproc('lock_summaries') IS NULL THEN
        CREATE FUNCTION lock_summaries() RETURNS void LANGUAGE sql AS 'SELECT';
    END IF;
END $$;
