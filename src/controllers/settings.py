"""The keys of controllers; without torch, so that they can be told at once."""

from __future__ import annotations

from dataclasses import dataclass

from ..agreement.settings import PoolSettings
from ..conventions.settings import ConventionSettings
from ..errors import UserError
from ..modules.encoders import REGISTRY as ENCODERS
from ..settings import Settings, setting

#: what makes students see different things
DIFFERENT = "policy_input=obs, obs_last_action, obs_agent_id or agent=rnn_ns"


def all_alike(args: Settings) -> bool:
    """Whether all agents see the state and no more, by one encoder."""
    own = args.obs_last_action or args.obs_agent_id or (args.use_rnn and ENCODERS[args.agent].one_each)
    return args.policy_input == "state" and not own


@dataclass(frozen=True, kw_only=True)
class ThresholdSettings(Settings):
    """How autoregressive teams draw."""

    beta: float = setting(low=0.0, high=1.0, doc="Eq. 8's threshold when actions are drawn (test_greedy: false)")
    beta_mode: str = setting(choices=("ratio", "flat"),
                             doc="reading of Eq. 8: ratio keeps the survivors' ratios, flat weighs them by exp(pi)")
    shared_seed: bool = setting(doc="true: drawn by keys of a seed that all agents share, so that each can walk the "
                                    "chain alone")


@dataclass(frozen=True, kw_only=True)
class EpsilonSettings(Settings):
    """How teams explore that learn online."""

    epsilon_start: float = setting(low=0.0, high=1.0, doc="share of random actions at the start, which falls linearly")
    epsilon_finish: float = setting(low=0.0, high=1.0, doc="share of random actions at the end")
    epsilon_anneal_time: int = setting(low=1, doc="environment steps until epsilon_finish is reached")


@dataclass(frozen=True, kw_only=True)
class FilterSettings(Settings):
    """BCQ's filter."""

    bcq_threshold: float = setting(low=0.0, high=1.0,
                                   doc="least imitated probability of an action, as a share of the most likely one's")
    filter_actions: bool = setting(doc="play takes only actions that pass the filter, too; false: any available one, "
                                       "only targets are filtered (ablation)")


@dataclass(frozen=True, kw_only=True)
class StudentSettings(PoolSettings, ThresholdSettings):
    """Those of the pool, and Eq. 8's threshold of the teacher."""

    beta: float = setting(low=0.0, high=1.0,
                          doc="Eq. 8's threshold of the teacher that is imitated; 1 (with pool_size=1): deterministic")

    def __post_init__(self) -> None:
        if self.key != "prior" and not all_alike(self):
            raise UserError(f"key={self.key} reads the key together with the state, which students with {DIFFERENT} "
                            "do not see alike; use key=prior.")


@dataclass(frozen=True, kw_only=True)
class AgreementSettings(StudentSettings, ConventionSettings):
    """Those of students, and of conventions."""


@dataclass(frozen=True, kw_only=True)
class ScriptedSettings(Settings):
    """Of scripted teams."""

    team: str = setting(doc="name of a scripted team, one of those in src/teams")

    def __post_init__(self) -> None:
        from ..teams import REGISTRY as TEAMS  # here: it takes a moment

        TEAMS[self.team]
        if not self.record_to and not self.evaluate:  # inside EPyMARL, runners have other names
            raise UserError("mac=scripted_mac learns nothing: play it with runner=record record_to=<file>.npz, or with "
                            "evaluate=true.")
