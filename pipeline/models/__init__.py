"""Models of the pipeline: files of candidates and champions as LiteRT networks, and predictions.

Networks are those of inference/runtime. There is no second implementation of the interpreter.
"""
