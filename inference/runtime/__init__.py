"""Runtime: LiteRT flatbuffers and canonical pixels in, probabilities out.

Knows neither files nor names of models, and nothing of HTTP.
"""
