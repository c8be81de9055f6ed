"""What a model is on disk: card, layout, safe file access. Training imports this."""
