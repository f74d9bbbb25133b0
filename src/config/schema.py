"""What a configuration key may hold; values live in the YAML files only."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from ..errors import UserError
from ..utils.registry import nearest

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "a mapping", type(None): "null"}


@dataclass(frozen=True)
class Key:
    """Type and range of one key.

    Attributes:
        type: a type or a union of types; a float key takes integers too.
        low, high: inclusive bounds, if any.
        choices: the allowed values, if they are few.
    """

    type: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()

    def check(self, name: str, value: Any) -> Any:
        """The value, converted to float where the key is one.

        Raises:
            UserError: wrong type, out of range, or not among the choices.
        """
        kinds = get_args(self.type) or (self.type,)
        if float in kinds and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        # bool is a subclass of int, but "true" is no number
        if not any(type(value) is kind or (kind is dict and isinstance(value, Mapping)) for kind in kinds):
            wanted = " or ".join(WORDS[kind] for kind in kinds)
            raise UserError(f"config key '{name}' must be {wanted}, not {value!r}.")
        if self.choices and value not in self.choices:
            raise UserError(f"config key '{name}' must be one of {', '.join(map(str, self.choices))}, not {value!r}.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value != value or (self.low is not None and value < self.low) or (
                    self.high is not None and value > self.high):
                bounds = f"at least {self.low}" if self.high is None else f"between {self.low} and {self.high}"
                raise UserError(f"config key '{name}' must be {bounds}, not {value}.")
        return value


COUNT, SHARE, FLAG, TEXT = Key(int, low=1), Key(float, low=0.0, high=1.0), Key(bool), Key(str)

#: keys that every run has; learners and controllers declare theirs in ``KEYS``
CORE: dict[str, Key] = {
    "name": TEXT, "runner": TEXT, "mac": TEXT, "learner": TEXT, "env": TEXT, "env_args": Key(dict), "recipes": Key(dict),
    "common_reward": FLAG, "reward_scalarisation": Key(str, choices=("sum", "mean")),
    "seed": Key(int | None, low=0, high=2**31 - 1), "dataset": TEXT, "datasets_path": TEXT,
    "reward_scale": Key(float, low=1e-9), "reward_min": Key(float | None),
    "t_max": Key(int, low=0), "batch_size": COUNT, "buffer_size": COUNT, "batch_size_run": Key(int, low=1, high=1),
    "test_nepisode": COUNT, "test_interval": COUNT, "test_greedy": FLAG, "log_interval": COUNT,
    "runner_log_interval": COUNT, "learner_log_interval": COUNT, "use_tensorboard": FLAG,
    "local_results_path": TEXT, "save_model": FLAG, "save_model_interval": Key(int, low=0), "checkpoint_path": TEXT,
    "load_step": Key(int, low=0), "evaluate": FLAG, "render": FLAG, "use_cuda": FLAG, "torch_threads": COUNT,
    "gamma": SHARE, "lr": Key(float, low=0.0), "lr_final": SHARE, "grad_norm_clip": Key(float, low=1e-9),
    "hidden_dim": COUNT, "state_levels": Key(int, low=0), "n_layers": COUNT, "target_update_interval_or_tau": Key(float, low=1e-9),
}


def check(config: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    """Checks every key of a resolved configuration.

    Raises:
        UserError: an unknown or missing key (with the nearest known one), or a bad value.
    """
    for name in config:
        if name not in keys:
            raise UserError(f"unknown config key '{name}'{nearest(name, keys)}.")
    for name in keys:
        if name not in config:
            raise UserError(f"config key '{name}' is missing; give it a value in the algorithm's YAML file.")
    return {name: keys[name].check(name, value) for name, value in config.items()}


def check_env_args(env: str, cls: type, env_args: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the arguments of an environment class against its signature and annotations.

    ``map_name`` and ``seed`` belong to the framework and are allowed for every environment.
    """
    hints = get_type_hints(cls.__init__)
    known = {name: hints.get(name, Any) for name in inspect.signature(cls).parameters}
    checked: dict[str, Any] = {}
    for name, value in env_args.items():
        if name in ("map_name", "seed"):
            checked[name] = value
        elif name not in known:
            raise UserError(f"unknown config key 'env_args.{name}' of {env}{nearest(name, known)}; "
                            f"it takes: {', '.join(known)}.")
        else:
            checked[name] = Key(known[name]).check(f"env_args.{name}", value)
    return checked
