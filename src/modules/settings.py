"""The keys of critics and mixers, which several learners read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..settings import WIDEST, Need, Settings, setting


@dataclass(frozen=True, kw_only=True)
class CriticSettings(Settings):
    """Of the critics of autoregressive teachers (:mod:`.critics`)."""

    needs: ClassVar[tuple[Need, ...]] = (
        Need(("alpha_share",), {"alpha": (None,)}),
        Need(("conservatism", "soft_values"), {"weight": ("chain",)}),
        Need(("alpha_q",), {"target_weight": ("batch",)}))

    alpha: float | None = setting(low=1e-6,
                                  doc="temperature, in the game's rewards: small follows the values, large the "
                                      "data; null: it follows the critic's error")
    alpha_share: float = setting(low=0.0, before=0.15,
                                 doc="of the critic's error that the temperature is, times the root of the number of "
                                     "steps through which values are carried back (alpha: null)")
    conservatism: float = setting(low=0.0, before=0.0,
                                  doc="how much the critic takes from actions that were not recorded, as CQL does, in "
                                      "units of the temperature (weight: chain)")
    soft_values: bool = setting(before=True,
                                doc="what the policy's distance from the data costs counts in values, too, in units of "
                                    "the temperature; false: values are what the policy earns (weight: chain)")
    critic_time: bool = setting(doc="the critic sees the time step (the policy never does)")
    value_hidden_dim: int = setting(low=1, high=WIDEST, before=128,
                                    doc="width of the critic's networks of the state alone")
    mixer_weights: str = setting(choices=("softmax", "abs"), before="softmax",
                                 doc="the mixer's weights of the agents (weight: per_agent, joint): softmax (they sum "
                                     "to N) or abs (as QMIX and the paper have them, of any size)")
    target_weight: str = setting(choices=("one", "batch", "printed"), before="one",
                                 doc="what the recorded next joint action counts in the target (weight: per_agent): "
                                     "one, batch (official MAICQ's softmax over the batch) or printed (Eq. 7)")
    alpha_q: float = setting(low=1e-6, before=1000.0,
                             doc="temperature of the softmax over the batch, so large that its weights are 1 "
                                 "(target_weight: batch)")


@dataclass(frozen=True, kw_only=True)
class MixerSettings(Settings):
    """Of QMIX (:mod:`.mixers`)."""

    mixing_embed_dim: int = setting(low=1, high=WIDEST, doc="width of the mixer")
    hypernet_embed: int = setting(low=1, high=WIDEST, doc="width of the networks from the state to the mixer's weights")
