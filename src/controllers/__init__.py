"""Controllers ("macs"): from an :class:`EpisodeBatch` to the agents' actions."""

from __future__ import annotations

from ..utils.registry import Registry, discover
from .base import Controller

REGISTRY: Registry[type[Controller]] = Registry("mac")

discover(__name__, __path__)

__all__ = ["REGISTRY", "Controller"]
