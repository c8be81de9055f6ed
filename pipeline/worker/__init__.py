"""Worker: takes runs from the queue and executes each in a child process, step by step.

- `service` runs Procrastinate (`queue_app`), the `runner` of child processes, and `sweep`.
- `child` is that process: the `executor` goes through the plan, the `recorder` writes the rows.
- `lease` gives a run to one worker at a time. Every write of a step requires the lease.
- `sweep` frees the runs of dead workers, and starts the runs that are due (`triggers`).
"""
