"""The benchmarks.

`python -m bench` measures every goal of doc/performance.md in one run and writes the answers there.
"""
