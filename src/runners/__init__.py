"""Runners: where batches come from and how a controller is evaluated."""

from __future__ import annotations

from typing import Any

from ..utils.registry import Registry, discover

REGISTRY: Registry[type[Any]] = Registry("runner")

discover(__name__, __path__)

__all__ = ["REGISTRY"]
