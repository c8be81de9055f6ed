"""Tables of the dashboard as data. Pure."""
