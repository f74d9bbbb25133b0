"""Learners: from batches of episodes to better controllers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..utils.registry import Registry, on_demand

if TYPE_CHECKING:  # at run time it is imported when it is asked for, since it needs torch
    from .base import Learner

REGISTRY: Registry[type[Learner]] = Registry("learner", __name__, __path__)
__getattr__ = on_demand(__name__, Learner="base")

__all__ = ["REGISTRY", "Learner"]
