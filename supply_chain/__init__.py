"""Supply chain: lists of third-party components with their licenses, and a vulnerability audit."""
