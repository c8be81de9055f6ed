"""Diagnostics of models from the API: occlusion maps of one image, and robustness."""
