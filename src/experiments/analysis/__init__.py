"""Numbers from rows: scores, the paper's table, and statistics over all tasks."""
