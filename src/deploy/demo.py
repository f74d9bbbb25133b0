"""A game played by N separate processes that never hear from one another, but where an agent acts after others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..envs import REGISTRY, Game, make_game, ours
from ..envs.trust import check_files
from ..errors import UserError
from ..settings import check_env_args
from .agents import Agents, team_in
from .check import Beside, seen_in
from .teams import LeavingTeam

__all__ = ["Agents", "Played", "game_of", "play", "team_in"]


class Played(NamedTuple):
    """What happened.

    Attributes:
        returns: of the episodes, undiscounted.
        steps: number of joint actions.
        distinct: number of different joint actions.
        agreed: joint actions equal to the controller's in the training process, if that was asked.
    """

    returns: list[float]
    steps: int
    distinct: int
    agreed: int | None


def play(folder: Path, seeds: Sequence[int], steps: int, model: str | None = None, key: str = "") -> Played:
    """Plays whole episodes with one process per agent until ``steps`` joint actions have been played.

    Args:
        folder: of the policy files.
        seeds: one for all agents, or one each; the first also seeds the game.
        steps: at least this many joint actions.
        model: model folder that the policies were exported from; its controller chooses beside them.
        key: see :class:`..build.Team`.

    Raises:
        UserError: anything missing, damaged, or started with different seeds.
    """
    with Agents(folder) as team:
        n = len(team.agents)
        if len(seeds) not in (1, n):
            raise UserError(f"--seed takes one seed for all, or one for each of the {n} agents, not {len(seeds)}.")
        team.agree([*seeds] if len(seeds) == n else [*seeds] * n)
        beside = None if model is None else _beside(model, seeds[0], team.meta, key)
        game = beside.team.game if beside is not None else game_of(team.meta)
        rng = np.random.default_rng(seeds[0])
        returns: list[float] = []
        seen_actions: set[tuple[int, ...]] = set()
        played = agreed = 0
        while played < steps:
            state, done, step = game.initial(1, rng), False, 0
            returns.append(0.0)
            while not done:
                seen = seen_in(game, state, team.meta["input"] == "obs")
                actions = team.act(seen, game.available(state)[0], len(returns) - 1, step)
                if beside is not None:
                    agreed += beside.actions(state, step) == actions
                    beside.played(actions, step)
                after = game.transition(state, np.array([actions]), rng)
                returns[-1] += float(after.reward[0])
                state, done, step, played = after.state, bool(after.done[0]), step + 1, played + 1
                seen_actions.add(tuple(actions))
    return Played(returns, played, len(seen_actions), None if beside is None else agreed)


def game_of(meta: dict[str, Any]) -> Game:
    """The game that the policies were trained for.

    Raises:
        UserError: it is an environment of another package, which policy files alone must not have imported.
    """
    if meta["env"] not in ours():
        raise UserError(f"these policies play {meta['env_args'].get('key')} of another package, which would be "
                        "imported on their word alone; name the run that they were exported from with --model.")
    env_args = check_env_args(meta["env"], REGISTRY[meta["env"]], meta["env_args"])
    if env_args.get("n_agents", meta["n_agents"]) != meta["n_agents"]:
        raise UserError(f"these policies are for {meta['n_agents']} agents, but say n_agents={env_args['n_agents']} of "
                        "their game.")
    check_files(meta["env"], env_args, "a policy file")
    return make_game(meta["env"], **env_args)


def _beside(model: str, seed: int, meta: dict[str, Any], key: str = "") -> Beside:
    """The controller that policies were exported from.

    Raises:
        UserError: it is another one.
    """
    team = LeavingTeam(model, key)
    if team.digest() != meta["team"]:
        raise UserError(f"{model} is not the model that these policies were exported from.")
    return Beside(team, seed)
