"""Controllers ("macs"): from an :class:`EpisodeBatch` to the agents' actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..utils.registry import Registry, on_demand

if TYPE_CHECKING:  # at run time it is imported when it is asked for, since it needs torch
    from .base import Controller

REGISTRY: Registry[type[Controller]] = Registry("mac", __name__, __path__)
__getattr__ = on_demand(__name__, Controller="base")


def are_kin(one: str, other: str) -> bool:
    """Whether two controllers, by their names, have the same networks and only choose differently."""
    return one == other or (one in REGISTRY and other in REGISTRY and REGISTRY[one].kin == REGISTRY[other].kin != "")


__all__ = ["REGISTRY", "Controller", "are_kin"]
