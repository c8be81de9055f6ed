"""The inference service: a model directory -> answers over HTTP.

`openapi.yaml` beside this file is its contract.
"""
