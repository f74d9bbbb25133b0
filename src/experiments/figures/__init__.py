"""Pictures of results, drawn by matplotlib (the extra ``report``); importing this package imports it."""
