"""Keras and SavedModel files to LiteRT, validated and converted in a sandboxed child process."""
