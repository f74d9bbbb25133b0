"""The keys of critics and mixers, which several learners read."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import WIDEST, Settings, setting


@dataclass(frozen=True, kw_only=True)
class CriticSettings(Settings):
    """Of the critics of autoregressive teachers (:mod:`.critics`)."""

    alpha: float = setting(low=1e-6,
                           doc="temperature: small follows the values, large the data; about half of what a decision "
                               "is worth")
    critic_time: bool = setting(doc="the critic sees the time step (the policy never does)")
    value_hidden_dim: int = setting(low=1, high=WIDEST, before=128,
                                    doc="width of the critic's networks of the state alone")


@dataclass(frozen=True, kw_only=True)
class MixerSettings(Settings):
    """Of QMIX (:mod:`.mixers`)."""

    mixing_embed_dim: int = setting(low=1, high=WIDEST, doc="width of the mixer")
    hypernet_embed: int = setting(low=1, high=WIDEST, doc="width of the networks from the state to the mixer's weights")
