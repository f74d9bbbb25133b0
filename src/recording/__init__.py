"""Writing played episodes as a data set."""
