"""Records of runs: Sacred's observers made independent of one another, and runs that go on in the record they began."""
