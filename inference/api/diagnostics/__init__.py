"""Diagnostics of models: occlusion maps of one image."""
