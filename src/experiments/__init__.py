"""Many runs at once: sweeps, their tables, and speed measurements."""
