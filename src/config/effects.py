"""Keys that would be accepted and do nothing beside the others: refused, so that nobody believes that they did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from ..runners import REGISTRY as RUNNERS
from ..settings import CORE, Need, settings_of


def check_effects(config: Mapping[str, Any]) -> None:
    """Refuses a key that has no effect.

    Args:
        config: every key checked by itself.

    Raises:
        UserError: naming it, and what it needs.
    """
    needs = {"load_step": ("checkpoint_path=<folder of a run's models>", config["checkpoint_path"]),
             "render": ("evaluate=true", config["evaluate"]),
             **{key: ("runner=record", config["runner"] == "record")
                for key in ("record_to", "record_from", "record_steps")}}
    for key, (needed, there) in needs.items():
        if config[key] and not there:
            raise UserError(f"{key}={_told(config[key])} has no effect without {needed}.")
    if config["batch_size_run"] != 1 and RUNNERS[config["runner"]].learns_offline:
        raise UserError(f"batch_size_run={config['batch_size_run']} has no effect without runner=episode: the "
                        f"episodes of runner={config['runner']} are recorded ones; batch_size says how many an update "
                        "learns from.")
    if config["reward_scale"] is None and not RUNNERS[config["runner"]].learns_offline:
        raise UserError(f"reward_scale=null has no effect with runner={config['runner']}, which has no "
                        "recorded rewards to tell it by; set reward_scale=1.")
    if config.get("offline_selection") and not RUNNERS[config["runner"]].learns_offline:
        raise UserError(f"offline_selection=true has no effect with runner={config['runner']}, whose "
                        "episodes are played, not recorded; set offline_selection=false.")
    if config["agent"] != CORE["agent"].before and not config["use_rnn"]:
        raise UserError(f"agent={config['agent']} has no effect without use_rnn=true: agents without a memory have no "
                        "such network.")
    learner = LEARNERS[config["learner"]]
    if config["critic_input"] != CORE["critic_input"].before \
            and not learner.reads_critic_input(settings_of(learner).of(config)):
        raise UserError(f"critic_input={config['critic_input']} has no effect on {config['name']}, which by these "
                        "settings has no critic or mixer that sees the state; leave it out.")


def check_idle(config: Mapping[str, Any], changed: Iterable[str], needs: Iterable[Need]) -> None:
    """Refuses a key that somebody has changed beside others by which nobody reads it.

    What files say is not refused: a method's file sets keys of all its ways.

    Args:
        config: every key checked by itself.
        changed: the keys that the user gave other values than the files.
        needs: what the parts of this configuration say of their keys.

    Raises:
        UserError: naming it, and where it is read.
    """
    given = set(changed)
    for need in needs:
        idle = next((name for name in need.keys if name in given), None)
        if idle is not None and not any(config[other] in values for other, values in need.where.items()):
            here = " and ".join(f"{other}={_told(config[other])}" for other in need.where)
            there = " or ".join(f"{other}={_told(value)}" for other, values in need.where.items() for value in values)
            raise UserError(f"{idle}={_told(config[idle])} has no effect with {here}; it is read with {there}.")


def _told(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
