"""What our classes are called inside EPyMARL, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..config import find_config, read_yaml
from ..controllers import REGISTRY as MACS
from ..envs.multi_agent_env import MultiAgentEnv
from ..learners import REGISTRY as LEARNERS
from ..runners import REGISTRY as RUNNERS
from .contract import HostArgs

PREFIX = "cpa_"  # before names that EPyMARL has, too
GYMMA = "gymma"  # the one environment that both have, with the same arguments but those of the package behind it


class Names:
    """Our own names, with a prefix where EPyMARL has the same.

    Attributes:
        macs, learners, runners, envs: from our names to EPyMARL's.
    """

    def __init__(self) -> None:
        self.macs: dict[str, str] = {}
        self.learners: dict[str, str] = {}
        self.runners: dict[str, str] = {}
        self.envs: dict[str, str] = {}


def own_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """EPyMARL's arguments with our names for our classes, as our checkpoints have them."""
    own = dict(config)
    for key, registry in (("mac", MACS), ("learner", LEARNERS), ("runner", RUNNERS)):
        if own[key] not in registry:
            own[key] = own[key].removeprefix(PREFIX)
    if "env_args" in own:
        own["env_args"] = {key: value for key, value in own_env_args(own["env"], own["env_args"]).items()
                           if key != "seed"}
    return own


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of EPyMARL's arguments what is JSON, as a configuration of ours."""
    return {key: value for key, value in own_config(config).items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def shared_env_args(env: str, env_args: Mapping[str, Any]) -> dict[str, Any]:
    """Our arguments of an environment as EPyMARL would write them.

    They are recorded, and its plots put runs into one panel only if they agree.
    """
    if env != GYMMA:
        return dict(env_args)
    kept = {key: value for key, value in env_args.items() if key not in ("map_name", "kwargs")}
    return {**kept, **(env_args.get("kwargs") or {})}


def own_env_args(env: str, env_args: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`shared_env_args`."""
    if env != GYMMA:
        return dict(env_args)
    known = ("seed", "map_name", *read_yaml(find_config("envs", GYMMA))["env_args"])
    own = {key: value for key, value in env_args.items() if key in known}
    extra = {key: value for key, value in env_args.items() if key not in known}
    return {**own, "kwargs": {**own.get("kwargs", {}), **extra}}


def spec_of(args: HostArgs, env: Any) -> dict[str, Any]:
    """What identifies an environment, in the words of our data sets.

    EPyMARL's limit of episodes is no part of it: where an environment has a lower one, only ours knows.
    """
    if isinstance(env, MultiAgentEnv):
        return env.game.spec()
    info = env.get_env_info()
    env_args = {key: value for key, value in own_env_args(args.env, args.env_args).items() if key != "seed"}
    return {"game": args.env, "n_agents": info["n_agents"], "n_actions": info["n_actions"],
            "state_dim": info["state_shape"], "reward_scalarisation": args.reward_scalarisation, **env_args}


