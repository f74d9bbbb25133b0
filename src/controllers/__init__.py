"""Controllers ("macs"): from an :class:`EpisodeBatch` to the agents' actions."""

from __future__ import annotations

from typing import Any

from ..utils.registry import Registry, discover

REGISTRY: Registry[type[Any]] = Registry("mac")

discover(__name__, __path__)

__all__ = ["REGISTRY"]
