"""Images and models in, predictions out: resolving, scheduling, caching, consensus. No wire format."""
