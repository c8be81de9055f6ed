"""Data to option objects of Apache ECharts. Pure."""
