"""The scripted teams as behaviours: ``<team>``, and ``<team>_noisy`` with random actions."""

from __future__ import annotations

import numpy as np

from ..envs.game import Game, IntArray
from ..errors import UserError
from ..teams import NOTHING_YET, Cast, Team
from ..teams import REGISTRY as TEAMS
from .behaviours import Behaviour, JointPolicy, behaviour

#: how often each agent of a noisy team does something random instead of what its script says
NOISE = 0.1


def scripted(team: Team, noise: float) -> Behaviour:
    """A scripted team, each of whose agents sees its own observations and what it really did itself.

    Args:
        team: who plays.
        noise: probability of a uniformly random available action, for each agent and step.
    """

    def make(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
        team.check(game.n_agents, game.n_actions, game.obs_dim)
        casts: dict[int, tuple[Cast, int, IntArray]] = {}  # with the time of the next step, and what was done

        def act(state: IntArray, episode: IntArray, rng: np.random.Generator) -> IntArray:
            chosen = np.empty((len(state), game.n_agents), dtype=np.int64)
            for row, (number, time, seen) in enumerate(zip(episode.tolist(), state[:, 0], game.observe(state),
                                                           strict=True)):
                if time == 0:
                    casts[number] = team.cast(), 0, np.full(game.n_agents, NOTHING_YET)
                if number not in casts or casts[number][1] != time:
                    raise UserError(f"the scripted team {team.name} remembers what it saw, so it plays whole episodes: "
                                    "its recipe cannot be drawn 'per: step'.")
                chosen[row] = casts[number][0].act(seen, casts[number][2])
            anything = game.random_actions(state, rng)
            chosen = np.where(rng.random(chosen.shape) < noise, anything, chosen)
            for number, did in zip(episode.tolist(), chosen, strict=True):
                casts[number] = casts[number][0], casts[number][1] + 1, did
            return chosen

        return act

    make.__module__ = type(team.script(0)).__module__  # kept data are made anew when the team's files change
    return make


for _team in TEAMS.values():
    behaviour(f"{_team.game}/{_team.name}")(scripted(_team, 0.0))
    behaviour(f"{_team.game}/{_team.name}_noisy")(scripted(_team, NOISE))
