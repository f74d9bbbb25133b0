"""What agents make of what they see: the config key ``encoder``.  One file each, found by being here."""

from __future__ import annotations

from ...utils.registry import Registry, discover
from .base import Encoder

REGISTRY: Registry[type[Encoder]] = Registry("encoder")

discover(__name__, __path__)

__all__ = ["REGISTRY", "Encoder"]
