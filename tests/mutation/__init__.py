"""How many small faults the tests notice (docs/promises.md)."""
