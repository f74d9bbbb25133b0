"""Runners: where batches come from and how a controller is evaluated."""

from __future__ import annotations

from ..utils.registry import Registry, discover
from .base import Runner

REGISTRY: Registry[type[Runner]] = Registry("runner")

discover(__name__, __path__)

__all__ = ["REGISTRY", "Runner"]
