"""The servers that the service is compared with.

All answer POST /api/v1.0/inference with the same members.
"""
