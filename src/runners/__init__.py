"""Runners: where batches come from and how a controller is evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..utils.registry import Registry, on_demand

if TYPE_CHECKING:  # at run time it is imported when it is asked for, since it needs torch
    from .base import Runner

REGISTRY: Registry[type[Runner]] = Registry("runner", __name__, __path__)
__getattr__ = on_demand(__name__, Runner="base")

__all__ = ["REGISTRY", "Runner"]
