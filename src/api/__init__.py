"""What scripts and notebooks use; the names are those at the top of the package, which loads them when asked for."""
