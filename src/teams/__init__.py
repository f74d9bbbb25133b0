"""Scripted teams of real tasks, whose conventions clash; every agent acts by its own observations and memory alone.

A team is found because its file is here.
"""

from __future__ import annotations

from ..utils.registry import discover
from .base import NOTHING_YET, REGISTRY, Cast, Script, Team

discover(__name__, __path__)

__all__ = ["NOTHING_YET", "REGISTRY", "Cast", "Script", "Team"]
