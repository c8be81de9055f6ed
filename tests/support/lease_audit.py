"""Lease audit: triggers that record each write of a run's process and who had the run's lease.

A worker of the audit is started with `PGOPTIONS=-c audit.worker=NUMBER`, which its child processes
inherit. So a write of a worker that was frozen and thawed is seen, whatever function made it.
"""

TABLES = {
    "pipeline_runs": "id",
    "pipeline_steps": "run_id",
    "trainings": "run_id",
    "evaluations": "run_id",
    "comparisons": "run_id",
    "promotion_decisions": "run_id",
    "label_requests": "run_id",
    "alias_events": "run_id",
}
FUNCTION = """
CREATE TABLE audited_writes (
    at timestamptz NOT NULL DEFAULT clock_timestamp(), of_table text, operation text, run_id bigint,
    writer text, holder text);
CREATE FUNCTION audit_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    run bigint := (to_jsonb(NEW) ->> TG_ARGV[0])::bigint;
BEGIN
    IF starts_with(current_setting('application_name'), 'mlops pipeline run ')
       OR current_setting('application_name') = 'mlops pipeline heartbeat' THEN
        INSERT INTO audited_writes (of_table, operation, run_id, writer, holder)
        SELECT TG_TABLE_NAME, TG_OP, run, current_setting('audit.worker', true),
               CASE WHEN r.lease_token IS NOT NULL THEN r.worker END
        FROM pipeline_runs r WHERE r.id = run;
    END IF;
    RETURN NEW;
END $$;
"""
# Before the write, so that the row of a run that ends still has its lease.
TRIGGER = """
CREATE TRIGGER audit_write BEFORE INSERT OR UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION audit_write('{column}');
"""
INSTALL = FUNCTION + "".join(
    TRIGGER.format(table=table, column=column) for table, column in TABLES.items()
)
WRITES = "SELECT of_table, operation, run_id, writer, holder, at FROM audited_writes ORDER BY at"


def options(number: int) -> str:
    """Return the value of PGOPTIONS for a worker."""
    return f"-c audit.worker={number}"
