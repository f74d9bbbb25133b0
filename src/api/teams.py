"""Trained teams from model folders, perhaps acting otherwise than in their run."""

from __future__ import annotations

import os
from pathlib import Path

from ..build import Team, build_mac
from ..components.env_info import EnvInfo
from ..deploy.export import export as write_agents
from ..errors import UserError
from ..utils import checkpoint
from ..utils.bounded import check_memory
from ..utils.files import named_path
from .undisturbed import undisturbed
from .words import named

MOST = 2**31 - 1  # of seeds


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
               **({} if greedy is None else {"test_greedy": bool(greedy)})}
    if any(team.config[name] != value for name, value in changed.items()):
        team.config |= changed
        team.mac = build_mac(team.config, team.info)
        checkpoint.load_into(team.mac, team.folder)
    return team


def checked_seed(seed: int) -> int:
    """Raises:
        UserError: it is none.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= int(seed) <= MOST:
        raise UserError(f"seed must be a whole number in 0 .. {MOST}, not {seed!r}.")
    return int(seed)


def checked_episodes(episodes: int, info: EnvInfo) -> int:
    """Raises:
        UserError: it is no number of episodes, or the memory of this machine does not hold so many.
    """
    if isinstance(episodes, bool) or not hasattr(episodes, "__index__") or int(episodes) < 1:
        raise UserError(f"episodes must be a whole number of at least 1, not {episodes!r}.")
    check_memory(f"episodes={episodes}", int(episodes) * info.episode_bytes)
    return int(episodes)


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
        return write_agents(named("model", model), named_path(named("out", out)), key, form)
