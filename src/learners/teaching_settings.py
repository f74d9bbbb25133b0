"""The keys of the teacher, and of those who learn from it; without torch, so that they can be told at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..agreement.settings import PoolSettings
from ..controllers.settings import DIFFERENT, all_alike
from ..conventions.settings import ConventionSettings
from ..errors import UserError
from ..modules.settings import CriticSettings
from ..settings import Need, setting
from .settings import LIMIT_ENDS, SelectionSettings


@dataclass(frozen=True, kw_only=True)
class CpaArSettings(SelectionSettings, CriticSettings):
    """Of the autoregressive teacher."""

    needs: ClassVar[tuple[Need, ...]] = (Need(("weight_clip",), {"policy_loss": ("weighted",)}),)

    # Those of the critics, which need torch.
    weight: str = setting(choices=("chain", "prefix", "per_agent", "joint"),
                          doc="how actions are weighed: chain, prefix, joint, or per_agent (the paper's Eq. 5)")
    policy_loss: str = setting(choices=("expected", "weighted"),
                               doc="expected: Eq. 5 with its expectation over the own action taken exactly; weighted: "
                                   "as printed (the only one for joint)")
    weight_clip: float = setting(low=1.0, doc="largest weight of a recorded action (policy_loss: weighted)")
    policy_start: float = setting(low=0.0, high=1.0,
                                  doc="share of the run before the policy starts to learn, while the critic finds its "
                                      "feet")
    support_share: float = setting(low=0.0, high=1.0,
                                   doc="actions rarer than this share of the most likely one count as unseen")
    support_floor: float = setting(low=0.0, high=1.0, doc="actions rarer than this count as unseen, too")
    limit_ends: bool | None = setting(before=True, doc=LIMIT_ENDS)

    def __post_init__(self) -> None:
        from ..modules.critics import REGISTRY as CRITICS  # here: it needs torch

        if self.policy_loss == "expected" and not CRITICS[self.weight].knows_every_action:
            raise UserError(f"policy_loss=expected needs the value of every action, but weight={self.weight} values "
                            "recorded joint actions only; set policy_loss=weighted.")
        if self.target_weight != "one" and self.weight != "per_agent":
            raise UserError(f"target_weight={self.target_weight} has no effect with weight={self.weight}, whose target "
                            "is another; set weight=per_agent.")
        if self.mixer_weights != "softmax" and self.weight not in ("per_agent", "joint"):
            raise UserError(f"mixer_weights={self.mixer_weights} has no effect with weight={self.weight}, which has no "
                            "mixer; set weight=per_agent or weight=joint.")


@dataclass(frozen=True, kw_only=True)
class TeachingSettings(PoolSettings, CpaArSettings):
    """Of students."""

    needs: ClassVar[tuple[Need, ...]] = (
        Need(("commitment", "warm_up"), {"selection": ("encoder",)}),
        Need(("kl_weight",), {"key": ("cvae_vector", "cvae_index")}))

    teacher: str = setting(doc="a trained cpa_ar model's folder; \"\": the teacher learns first, for t_max updates")
    student_t_max: int = setting(low=1, doc="updates of the students, after the teacher's")
    student_lr: float = setting(low=0.0, doc="the students' learning rate, which falls to lr_final of it")
    selection: str = setting(choices=("likelihood", "encoder"),
                             doc="which entry learns a joint action: likelihood (the one that explains it best) or "
                                 "encoder (Eq. 9)")
    exclusive: bool = setting(doc="no two joint actions of a state share an entry")
    share_weight: float = setting(low=0.0, doc="how much rarely used entries are avoided in the selection")
    commitment: float = setting(low=0.0, doc="Eq. 10's weight of the encoder's term (selection: encoder)")
    warm_up: float = setting(low=0.0, high=1.0,
                             doc="share of the students' time in which the encoder is a plain autoencoder (selection: "
                                 "encoder)")
    kl_weight: float = setting(low=0.0, doc="weight of the divergence from the normal law, after a linear rise (cvae)")
    labels: str = setting(choices=("listed", "drawn"), before="listed",
                          doc="what students learn from: listed (all joint actions that the teacher may play, with "
                              "their probabilities) or drawn (one for each recorded step, by Eq. 8)")
    encoder_state: bool = setting(before=True,
                                  doc="the encoder sees the state beside the joint action (selection: encoder)")
    entry_loss: bool = setting(before=True,
                               doc="entries are also trained by what their heads make of them (selection: encoder)")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("encoder_state", "entry_loss"):
            if not getattr(self, name) and self.selection != "encoder":
                raise UserError(f"{name}=false has no effect without an encoder; set selection=encoder.")
        if self.selection == "encoder" and not all_alike(self):
            raise UserError(f"selection=encoder compares entries with an encoding of the state, which students with "
                            f"{DIFFERENT} do not see alike; use selection=likelihood.")


@dataclass(frozen=True, kw_only=True)
class AgreementTeachingSettings(TeachingSettings, ConventionSettings):
    """Those of teaching, and of conventions, which have no pool that depends on a state."""

    needs: ClassVar[tuple[Need, ...]] = (
        Need(("labels", "exclusive", "share_weight", "key_per"), {"policy_input": ("state",)}),
        Need(("weight", "policy_loss", "weight_clip", "support_share", "support_floor", "limit_ends",
              "alpha", "alpha_share", "conservatism", "soft_values", "critic_time", "alpha_q"),  # the teacher's
             {"policy_input": ("state",), "improvement": ("stages",)}))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.policy_input == "obs" and self.improvement != "imitation" and self.plans > self.pool_size:
            raise UserError(f"plans={self.plans} conventions need as many entries, but pool_size={self.pool_size}.")
        if self.policy_input == "obs" and self.improvement != "imitation" and self.fit_share == 1.0:
            raise UserError(f"fit_share=1 leaves improvement={self.improvement} no time; set a smaller share, or "
                            "improvement=imitation.")


@dataclass(frozen=True, kw_only=True)
class KdSettings(TeachingSettings):
    """Those of which only one value has a meaning without a key must have it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("pool_size", 1), ("selection", "likelihood"), ("key", "prior"), ("key_per", "step")):
            if getattr(self, name) != value:
                raise UserError(f"{name}={getattr(self, name)} has no meaning without an agreement key; kd needs "
                                f"{name}={value}, or use --config=cpa_pa.")
