"""Charts of the Monitor page as ECharts options. Pure."""
