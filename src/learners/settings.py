"""The keys of learners of values; without torch, so that they can be told at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..modules.settings import MixerSettings
from ..settings import WIDEST, Need, Settings, setting

#: the episode limit is an end where the data say that an episode ended there
RECORDED = "recorded"
#: what the key ``limit_ends`` means to all who read it
LIMIT_ENDS = ("an episode that its limit ended is over; false: it counts as cut off, and its last step is left out, "
              "and the critic does not see the time; null: true if no recorded episode ended before the limit, or if "
              "states tell the time, else false")


@dataclass(frozen=True, kw_only=True)
class SelectionSettings(Settings):
    """Of learners whose policies follow values."""

    offline_selection: bool = setting(before=False,
                                      doc="where recorded states and joint actions repeat (nine of ten steps), the "
                                          "policy that is kept is the best of forty of the run's, by what the recorded "
                                          "episodes say alone; false: the last one")


@dataclass(frozen=True, kw_only=True)
class LimitSettings(SelectionSettings):
    """Of learners of values, to which it matters what the episode limit is."""

    limit_ends: bool | str | None = setting(choices=(True, False, None, RECORDED), before=RECORDED,
                                            doc=f"{LIMIT_ENDS}; recorded: what each episode says")


@dataclass(frozen=True, kw_only=True)
class QSettings(MixerSettings, LimitSettings):
    """Of Q-learning with a mixer."""

    mixer: str | None = setting(choices=("qmix", "vdn", None),
                                doc="team value: qmix (monotone network), vdn (sum), null (independent learners)")
    double_q: bool = setting(doc="targets: the trained networks choose the next actions, the target networks value "
                                 "them")
    td_lambda: float = setting(low=0.0, high=1.0, doc="share of the recorded returns in the targets")
    critic_time: bool = setting(doc="the mixer sees the time step (the agents never do)")


@dataclass(frozen=True, kw_only=True)
class BcqSettings(QSettings):
    logit_weight: float = setting(low=0.0, doc="weight of the imitation's squared logits")


@dataclass(frozen=True, kw_only=True)
class CqlSettings(QSettings):
    mixer: str = setting(choices=("qmix", "vdn"), doc="team value: qmix (monotone network), vdn (sum)")
    cql_alpha: float = setting(low=0.0,
                               doc="weight with which values are pushed down, except those of recorded actions")
    cql_regulariser: str = setting(choices=("joint", "individual"),
                                   doc="what is pushed down: individual (each agent's own values) or joint (the "
                                       "team's)")


@dataclass(frozen=True, kw_only=True)
class CfcqlSettings(QSettings):
    needs: ClassVar[tuple[Need, ...]] = (Need(("cf_tau",), {"moderate_lambda": (True,)}),)

    mixer: str = setting(choices=("qmix", "vdn"), doc="team value: qmix (monotone network), vdn (sum)")
    cf_alpha: float = setting(low=0.0,
                              doc="weight with which the team values of one agent's deviations are pushed down")
    cf_tau: float = setting(low=0.0, doc="how much more the agents weigh whose values stray from the data")
    moderate_lambda: bool = setting(doc="agents weigh by how far their values stray from the data; false: all alike")


@dataclass(frozen=True, kw_only=True)
class MaicqSettings(LimitSettings):
    alpha: float = setting(low=1e-6, doc="temperature of the policy's weights")
    alpha_q: float = setting(low=1e-6, doc="temperature of the critic's weights; so large that they are 1")
    td_lambda: float = setting(low=0.0, high=1.0, doc="mixes targets of one and more steps")
    softmax_over: str = setting(choices=("time", "batch"),
                                doc="weights are a softmax over the episodes at the same time, or over the whole "
                                    "batch")
    normalise_advantage: bool = setting(doc="divide advantages by their spread over the batch")
    critic_time: bool = setting(doc="the critic sees the time step (the policy never does)")


@dataclass(frozen=True, kw_only=True)
class OmigaSettings(LimitSettings):
    alpha: float = setting(low=1e-6, doc="temperature: small follows the values, large the data")
    critic_time: bool = setting(doc="values see the time step (the policy never does)")


@dataclass(frozen=True, kw_only=True)
class OryxSettings(LimitSettings):
    alpha: float = setting(low=1e-6, doc="temperature of the policy's weights")
    alpha_q: float = setting(low=1e-6, doc="temperature of the critic's weights; so large that they are 1")
    normalise_advantage: bool = setting(doc="divide advantages by their spread over the batch")
    critic_time: bool = setting(doc="the critic sees the time step (the policy never does)")


@dataclass(frozen=True, kw_only=True)
class AlberdiceSettings(LimitSettings):
    alpha_start: float = setting(low=1e-6, doc="temperature at the start of the run")
    alpha_end: float = setting(low=1e-6, doc="temperature at its end, after a geometric fall")
    kl_samples: int = setting(low=1, high=WIDEST,
                              doc="joint actions drawn per step for the others' divergence (exact with two agents)")
    ratio_clip: float = setting(low=1.0, doc="largest importance ratio of the others' actions")
    caution: float = setting(low=0.0, doc="weight of the term that keeps the advantages of unrecorded actions low")
    slope_penalty: float = setting(low=0.0, doc="weight of the squared gradient of nu in the state")
    policy_start: float = setting(low=0.0, high=1.0,
                                  doc="share of the run in which the policies only follow the data's marginals")
    turn: int = setting(low=0,
                        doc="updates during which one agent's policy changes, then the next one's; 0: all at once")
    critic_time: bool = setting(doc="nu sees the time step (the policy never does)")
