"""Monitor page: drift, accuracy and latency of what is sent and answered."""
