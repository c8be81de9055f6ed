"""LiteRT: a flatbuffer in, probabilities out."""
