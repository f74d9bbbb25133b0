"""Offline multi-agent reinforcement learning by Cooperative Policy Agreement."""

__version__ = "0.1.0"
