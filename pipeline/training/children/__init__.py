"""Programs that the pipeline starts as child processes with `pipeline.training.child_process`."""
