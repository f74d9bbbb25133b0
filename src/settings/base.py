"""The keys that every run has, and how parts declare their own.

A learner or a controller says which keys it reads by the class of its ``args``::

    @dataclass(frozen=True, kw_only=True)
    class MySettings(Settings):
        temperature: float = setting(low=1e-6)

    class MyLearner(Learner):
        args: MySettings

The values come from the YAML files and the command line, checked against these declarations.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, Self, get_type_hints

from .schema import UNSET, Decides, Key

MANY = 2**53  # of what is counted
WIDEST = 2**16  # of a layer, and of other sizes that decide how large networks are
_EXTENT, _TESTING, _WATCHING, _FILES = Decides.EXTENT, Decides.TESTING, Decides.WATCHING, Decides.FILES


def setting(*, low: float = -math.inf, high: float = math.inf, choices: Sequence[Any] = (), is_name: bool = False,
        decides: Decides = Decides.LEARNING, before: Any = UNSET, may_be_unset: bool = False) -> Any:
    """Declares a field of :class:`Settings`; arguments as the attributes of :class:`Key`.

    Args:
        may_be_unset: whether files may leave it null, since a value is found before the run begins.
    """
    declared = {"low": low, "high": high, "choices": tuple(choices), "is_name": is_name, "decides": decides,
                "before": before}
    return field(metadata={"key": declared, "may_be_unset": may_be_unset})


KEPT = 3  # of the models that are saved at evaluations


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every run has; ``config/default.yaml`` says what each key means."""

    name: str = setting(is_name=True, decides=_WATCHING)
    runner: str
    mac: str
    learner: str
    env: str
    env_args: dict[str, Any]
    common_reward: bool
    reward_scalarisation: str = setting(choices=("sum", "mean"))
    seed: int = setting(low=0, high=2**31 - 1, may_be_unset=True)

    dataset: str
    recipes: dict[str, Any]
    datasets_path: str = setting(decides=_FILES)
    reward_scale: float = setting(low=1e-9)
    reward_min: float | None = setting(low=-1e30, high=1e30)

    t_max: int = setting(low=0, high=MANY, decides=_EXTENT)
    batch_size: int = setting(low=1, high=MANY)
    buffer_size: int = setting(low=1, high=MANY)
    batch_size_run: int = setting(choices=(1,))
    test_nepisode: int = setting(low=1, high=MANY, decides=_TESTING)
    test_interval: int = setting(low=1, high=MANY, decides=_TESTING)
    test_greedy: bool = setting(decides=_TESTING)
    log_interval: int = setting(low=1, high=MANY, decides=_WATCHING)
    runner_log_interval: int = setting(low=1, high=MANY, decides=_WATCHING)
    learner_log_interval: int = setting(low=1, high=MANY, decides=_WATCHING)
    use_tensorboard: bool = setting(decides=_WATCHING)
    observers: list[str] = setting(decides=_WATCHING)
    progress: bool | None = setting(decides=_WATCHING, before=None)
    local_results_path: str = setting(decides=_FILES)

    save_model: bool = setting(decides=_WATCHING)
    save_model_interval: int | None = setting(low=0, decides=_WATCHING)
    models_kept: int | None = setting(low=1, decides=_WATCHING, before=None)
    checkpoint_path: str = setting(decides=_EXTENT)
    load_step: int = setting(low=0, high=MANY, decides=_EXTENT)
    evaluate: bool = setting(decides=_EXTENT)
    render: bool = setting(decides=_WATCHING)

    record_to: str = setting(decides=_FILES)
    record_from: str = setting(decides=_FILES)
    record_steps: list[int] = setting(decides=_FILES)
    record_epsilons: list[float] = setting(decides=_FILES)
    record_episodes: int = setting(low=1, high=MANY, decides=_FILES)

    use_cuda: bool
    torch_threads: int = setting(low=1, high=1024)

    gamma: float = setting(low=0.0, high=1.0)
    lr: float = setting(low=0.0)
    lr_final: float = setting(low=0.0, high=1.0)
    grad_norm_clip: float = setting(low=1e-9)
    hidden_dim: int = setting(low=1, high=WIDEST)
    n_layers: int = setting(low=1, high=1000)
    policy_input: str = setting(choices=("state", "obs"), before="state")
    use_rnn: bool = setting(before=False)
    agent: str = setting(before="rnn")
    obs_last_action: bool = setting(before=False)
    obs_agent_id: bool = setting(before=False)
    critic_input: str = setting(choices=("state", "history"), before="state")
    state_levels: int = setting(low=0, high=WIDEST)
    target_update_interval_or_tau: float = setting(low=1e-9)

    @property
    def saving_interval(self) -> int:
        """``t_env`` between saves; 0 for none but the last."""
        return self.test_interval if self.save_model_interval is None else self.save_model_interval

    @property
    def kept(self) -> int:
        """How many models stay; 0 for all."""
        return self.models_kept or (KEPT if self.save_model_interval is None else 0)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """The settings that this class declares, from a resolved configuration with a seed.

        In that of an older checkpoint keys may be missing that came later.

        Raises:
            KeyError: the configuration lacks one that was always there.
        """
        later = {name: key.before for name, key in cls.keys().items() if key.before is not UNSET}
        whole = {**later, **config}
        return cls(**{each.name: whole[each.name] for each in fields(cls)})

    @classmethod
    @cache
    def keys(cls) -> dict[str, Key]:
        """Type, range and consequence of every key that this class declares, by name."""
        hints, found = get_type_hints(cls), {}
        for each in fields(cls):
            kind = hints[each.name]
            if each.metadata.get("may_be_unset"):
                kind = kind | None
            if each.default is not MISSING or each.default_factory is not MISSING:
                raise TypeError(f"{cls.__name__}.{each.name} must have no default: values live in YAML files")
            found[each.name] = Key(kind, **each.metadata.get("key", {}))
        return found


def settings_of(part: type) -> type[Settings]:
    """The class of settings that a controller, learner or runner declares as the type of its ``args``."""
    for cls in part.__mro__:
        if "args" in inspect.get_annotations(cls):
            declared: type[Settings] = get_type_hints(cls)["args"]
            return declared
    return Settings


CORE: Mapping[str, Key] = Settings.keys()
