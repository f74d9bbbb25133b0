"""Learners: from batches of episodes to better controllers."""

from __future__ import annotations

from typing import Any

from ..utils.registry import Registry, discover

REGISTRY: Registry[type[Any]] = Registry("learner")

discover(__name__, __path__)

__all__ = ["REGISTRY"]
