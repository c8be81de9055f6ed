# The inference service with its models: an image with nothing to mount. BASE is the target slim of inference/Dockerfile.
# `make bundle` copies the chosen models into the build context, and adds the labels.
ARG BASE=ml-ops-starter/inference:slim
FROM ${BASE}
# Platforms add containers, so one container has one worker.
ENV API_WORKERS=1
COPY models /models
