"""Data of the learning loop: uploads and labels into datasets, each version stored by its content.

Uploaded files are opened only in a sandboxed child process (`readers`).
"""
