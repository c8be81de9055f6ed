-- Roles of the server, without passwords. Every set-up runs this, so no statement depends on an earlier one of a migration: a dump
-- of the database has no roles. ALTER DATABASE and the settings of a role undo what the role itself may have set.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['mlops_app', 'mlops_read', 'mlops_web', 'mlops_pipeline'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN EXECUTE format('CREATE ROLE %I', role); END IF;
        EXECUTE format('ALTER ROLE %I RESET ALL', role);
        EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', role, current_database());
    END LOOP;
END $$;

-- Postgres accepts 100 connections by default. The limits leave some for the owner, whatever the roles do.
ALTER ROLE mlops_app LOGIN CONNECTION LIMIT 60;
ALTER ROLE mlops_read LOGIN CONNECTION LIMIT 24;
ALTER ROLE mlops_web LOGIN CONNECTION LIMIT 12;
ALTER ROLE mlops_pipeline LOGIN CONNECTION LIMIT 24;
-- The dashboard reads what mlops_read does. With a name and password of its own, it works on whatever users of mlops_read do to theirs.
GRANT mlops_read TO mlops_web;
ALTER ROLE mlops_app SET statement_timeout = '10s';
ALTER ROLE mlops_app SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE mlops_read SET statement_timeout = '10s';
-- An open transaction keeps dead rows from being removed, and migrations from changing the tables that it read.
ALTER ROLE mlops_read SET idle_in_transaction_session_timeout = '10min';
ALTER ROLE mlops_read SET default_transaction_read_only = on;
ALTER ROLE mlops_web SET statement_timeout = '10s';
ALTER ROLE mlops_web SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE mlops_web SET default_transaction_read_only = on;
ALTER ROLE mlops_pipeline SET statement_timeout = '60s';
-- A worker that freezes within a transaction keeps the row of its run locked, so no other worker takes the run before.
ALTER ROLE mlops_pipeline SET idle_in_transaction_session_timeout = '10s';
COMMENT ON ROLE mlops_app IS 'Inference service: adds predictions, labels and uploads, moves aliases, requests runs, monitors, deletes only schedules and old checks. Statements end after 10 s.';
COMMENT ON ROLE mlops_pipeline IS 'Worker of the pipeline: writes runs, datasets and verdicts, moves the champion by promote_run. Statements end after 60 s.';
COMMENT ON ROLE mlops_read IS 'pgAdmin and SQL users: reads every table and writes none. Statements end after 10 s unless SET statement_timeout extends it.';
COMMENT ON ROLE mlops_web IS 'Dashboard: reads what mlops_read reads.';

-- What only a superuser may do. The owner of a hosted database has to go without.
DO $$
DECLARE
    database text;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RETURN; END IF;
    ALTER ROLE mlops_read SET temp_file_limit = '2GB'; -- a sort fails before it fills the disk
    -- Databases that every server has, in which the roles would have the privileges that privileges.sql takes from them. Where another
    -- role can log in, the server has other users, and their access is not ours to change.
    IF EXISTS (SELECT FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND rolname !~ '^mlops_(app|read|web|pipeline)$') THEN RETURN; END IF;
    FOR database IN
        SELECT datname FROM pg_database
        WHERE datname IN ('postgres', 'template1') AND datname <> current_database() AND has_database_privilege('mlops_read', oid, 'CONNECT')
    LOOP
        EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', database);
    END LOOP;
END $$;
