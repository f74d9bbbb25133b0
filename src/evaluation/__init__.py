"""Playing with a controller, and measuring what it does."""
