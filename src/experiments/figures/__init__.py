"""Pictures of results, drawn by matplotlib (the extra ``report``); only :mod:`.bridge_policy` does without it."""
