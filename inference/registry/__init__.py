"""Model registry: published versions in a bucket, mirrored to the model directory of each service.

Publishers add versions, and the mirror brings them to MODELS_DIR. Knows the model format and object
storage. Knows neither loaded models nor HTTP.
"""
