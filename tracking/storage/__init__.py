"""SQL of the tracking process: runs, projects, artifacts, and the curves made of points."""
