"""Learners: from batches of episodes to better controllers."""

from __future__ import annotations

from ..utils.registry import Registry, discover
from .base import Learner

REGISTRY: Registry[type[Learner]] = Registry("learner")

discover(__name__, __path__)

__all__ = ["REGISTRY", "Learner"]
