"""The keys of the action pool and the agreement key, which controller and learner both read."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import WIDEST, Settings, setting
from .readers import REGISTRY as READERS


@dataclass(frozen=True, kw_only=True)
class PoolSettings(Settings):
    """Comes first among the bases of a class of settings, so that its ``policy_input`` is the one that counts."""

    policy_input: str = setting(choices=("state", "obs"))  # again, without ``before``: their rows have had it
    pool_size: int = setting(low=1, high=WIDEST)
    pool_dim: int = setting(low=1, high=WIDEST)
    pool_hidden: int = setting(low=1, high=WIDEST)
    head_hidden: int = setting(low=1, high=WIDEST)
    key_dim: int = setting(low=1, high=WIDEST)
    key_per: str = setting(choices=("step", "episode"))
    entry_floor: float = setting(low=0.0, high=0.5)  # above it no two entries could ever be used
    key: str = setting(choices=tuple(READERS))
