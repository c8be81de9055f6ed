"""Preprocessing: encoded images and arrays to the 28x28 pixels that every model takes.

Pure functions over bytes and arrays. Knows neither models nor HTTP.
"""
