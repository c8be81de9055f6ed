"""Benchmark of the prediction log: bytes, CPU time, and what an ephemeral journal loses."""
