"""Native write API of runs: the operations of inference/openapi.yaml that need SQL."""
