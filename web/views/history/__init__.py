"""History page: predictions as thumbnails, with filters and labels."""
