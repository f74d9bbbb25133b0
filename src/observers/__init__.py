"""Observers: what watches a run.  One file each, found by being here; ``observers=[name]`` turns one on."""

from __future__ import annotations

from ..utils.registry import Registry
from .base import Observer, RunStart

REGISTRY: Registry[type[Observer]] = Registry("observer", __name__, __path__)

__all__ = ["REGISTRY", "Observer", "RunStart"]
