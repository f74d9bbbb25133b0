"""Games as environments, without a configuration."""

from __future__ import annotations

from typing import Any, Literal, overload

from ..config import read_env, word
from ..envs import make_game, ours, own_args
from ..envs.episode import RENDER_MODES
from ..envs.gym_adapter import GameGymEnv
from ..envs.multi_agent_env import MultiAgentEnv
from ..envs.parallel import GameParallelEnv
from ..errors import UserError
from .words import named, one_of


@overload
def make_env(game: str, *, kind: Literal["parallel"] = "parallel", render_mode: str | None = None,
             **env_args: Any) -> GameParallelEnv: ...
@overload
def make_env(game: str, *, kind: Literal["gym"], render_mode: str | None = None, **env_args: Any) -> GameGymEnv: ...
@overload
def make_env(game: str, *, kind: Literal["epymarl"], **env_args: Any) -> MultiAgentEnv: ...


def make_env(game: str, *, kind: str = "parallel", render_mode: str | None = None,
             **env_args: Any) -> GameParallelEnv | GameGymEnv | MultiAgentEnv:
    """An environment of a game.

    ::

        env = make_env("sensor", rows=2, cols=3)
        observations, infos = env.reset(seed=0)

    With N agents, A actions each, observations of O and states of S numbers: the parallel environment's observations
    are ``{agent: {"observation": float32 [O], "action_mask": int8 [A]}}``, its rewards ``{agent: the team's}``, and
    ``env.state()`` is float32 ``[S]``; Gymnasium's are N arrays ``[O]`` and N rewards.

    Args:
        game: a name of ``--env-config``, or the path of such a YAML file.
        kind: ``parallel`` (PettingZoo's ``ParallelEnv``), ``gym`` (Gymnasium with tuples, as EPyMARL's ``gymma``
            reads it; our own games only) or ``epymarl`` (EPyMARL's ``MultiAgentEnv``).
        render_mode: ``human`` (prints text), ``ansi``, ``rgb_array`` or None; not for ``epymarl``.
        env_args: the game's own arguments, as after ``env_args.`` on a command line; those of the file by default.

    Raises:
        UserError: there is no such game, kind, argument or render mode, or a package is missing.
    """
    name, given, _ = read_env(named("game", game), [word(f"env_args.{key}", value) for key, value in env_args.items()])
    own, kind = own_args(given), one_of("kind", kind, ("parallel", "gym", "epymarl"))
    if render_mode is not None:
        render_mode = one_of("render_mode", render_mode, RENDER_MODES)
    if kind == "parallel":
        return GameParallelEnv(make_game(name, **own), render_mode)
    if kind == "gym":
        if name not in ours():
            raise UserError(f"{game} is an environment of another package; make_env(..., kind='gym') makes our own "
                            f"games only: {', '.join(ours())}.")
        return GameGymEnv(name, render_mode=render_mode, **own)
    if render_mode is not None:
        raise UserError("kind='epymarl' has no render_mode; take kind='parallel'.")
    return MultiAgentEnv(name, **own)
