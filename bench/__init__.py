"""Benchmarks: measure the performance goals and write the results into doc/performance.md.

`python -m bench` measures the inference service, `bench.queries` the database, and
`bench.dashboard` the dashboard in a browser.
"""
