"""Model repository: follows the model directory and provides loaded models by name and version.

Knows the compiler, the runtime, the model format and the database's aliases. Knows neither HTTP nor
the encoding of predictions.
"""
