"""What every service needs and none owns: settings, JSON logs, trusted hosts, COPY encoding.

Standard library only, and no import of another package of this project.
"""
