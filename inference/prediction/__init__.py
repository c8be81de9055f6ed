"""Images and models in, predictions out: resolving, scheduling, caching, consensus.

Everything here is data: arrays, labels, ids. No JSON and no HTTP; an API encodes what it gets.
"""
