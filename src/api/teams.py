"""Trained teams from model folders, perhaps acting otherwise than in their run."""

from __future__ import annotations

import os
from pathlib import Path

from ..build import Team, build_mac
from ..components.env_info import EnvInfo
from ..deploy.export import export as write_agents
from ..errors import UserError, shown
from ..settings import MOST_SEED
from ..utils import checkpoint
from ..utils.bounded import check_memory
from ..utils.files import named_path
from .undisturbed import undisturbed
from .words import flag, named, whole

MOST_EPISODES = 2**63 - 1


def trained_team(model: str | os.PathLike[str], key: str = "", seed: int | None = None,
                 greedy: bool | None = None) -> Team:
    """A team from a model folder.

    Args:
        model: the run's model folder, or one checkpoint in it.
        key: see :class:`..build.Team`.
        seed: of what the team draws; None: the run's.
        greedy: whether tests play what it likes best (``test_greedy``); None: as in its run.

    Raises:
        UserError: no whole checkpoint is there, or it cannot be used here.
    """
    team = Team(named("model", model), key)
    changed = {**({} if seed is None else {"seed": checked_seed(seed)}),
               **({} if greedy is None else {"test_greedy": flag("greedy", greedy)})}
    if any(team.config[name] != value for name, value in changed.items()):
        team.config |= changed
        team.mac = build_mac(team.config, team.info)
        checkpoint.load_into(team.mac, team.folder)
    return team


def checked_seed(seed: int) -> int:
    """Raises:
        UserError: it is none.
    """
    number = whole(seed)
    if number is None or not 0 <= number <= MOST_SEED:
        raise UserError(f"seed must be a whole number in 0 .. {MOST_SEED}, not {shown(seed)}.")
    return number


def checked_episodes(episodes: int, info: EnvInfo) -> int:
    """Raises:
        UserError: it is no number of episodes, or the memory of this machine does not hold so many.
    """
    number = whole(episodes)
    if number is None or number < 1:
        raise UserError(f"episodes must be a whole number of at least 1, not {shown(episodes)}.")
    if number > MOST_EPISODES:
        raise UserError(f"episodes must be {MOST_EPISODES} at most; the memory of no machine holds more.")
    check_memory(f"episodes={number}", number * info.episode_bytes)
    return number


def export(model: str | os.PathLike[str], out: str | os.PathLike[str], *, key: str = "",
           form: str = "numpy") -> list[Path]:
    """Writes one policy file for every agent of a trained team, and the programs that run them without this package.

    Args:
        model: the run's model folder, or one checkpoint in it.
        out: folder to write to, made if needed.
        key: ``env_args.key`` of its environment, if that is of another package.
        form: ``numpy``, ``onnx`` (graphs, with the extra ``onnx``) or ``both``.

    Returns:
        The policy files, in the agents' order.

    Raises:
        UserError: no whole checkpoint is there, its team cannot be exported, or the folder cannot be written.
    """
    with undisturbed():
        return write_agents(named("model", model), named_path(named("out", out), "out"), key, form)
