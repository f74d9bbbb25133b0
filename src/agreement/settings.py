"""The keys of the action pool and the agreement key, which controller and learner both read."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import WIDEST, Settings, setting


@dataclass(frozen=True, kw_only=True)
class PoolSettings(Settings):
    """Comes first among the bases of a class of settings, so that its ``policy_input`` is the one that counts."""

    policy_input: str = setting(choices=("state", "obs"))  # again, without ``before``: their rows have had it
    pool_size: int = setting(low=1, high=WIDEST, doc="entries of the action pool: joint actions kept for each state")
    pool_dim: int = setting(low=1, high=WIDEST, doc="length of an entry")
    pool_hidden: int = setting(low=1, high=WIDEST, doc="width of the networks from the state to entries and shares")
    head_hidden: int = setting(low=1, high=WIDEST, doc="width of the agents' heads")
    key_dim: int = setting(low=1, high=WIDEST, doc="length of the normal vector that a key is (cvae)")
    key_per: str = setting(choices=("step", "episode"), doc="a new key per step or per episode")
    # Above a floor of 0.5 no two entries could ever be used.
    entry_floor: float = setting(low=0.0, high=0.5,
                                 doc="entries with a smaller share than this (at most 0.5) are never chosen")
    # Those of :mod:`.readers`, which needs torch.
    key: str = setting(choices=("prior", "cvae_vector", "cvae_index"),
                       doc="from the key to an entry: prior, cvae_vector or cvae_index")
