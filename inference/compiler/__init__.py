"""Compiler: Keras and SavedModel files to LiteRT, in a sandboxed child process.

Only the child imports TensorFlow, Keras and h5py. Knows the model format and the runtime that
checks its results. Knows nothing of the model repository.
"""
