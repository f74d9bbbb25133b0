"""Offline selection: which of several trained teams is the best, from the recorded data alone."""
