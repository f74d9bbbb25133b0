"""Behaviours of Dec-POMDPs: teams that follow local optima, each agent by its own observations.

A data set of several optima mixes conventions that do not fit together; which of them an episode follows is its
behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..envs.dpomdp import DecPomdp
from ..envs.dpomdp.library import optima
from ..envs.dpomdp.policies import Policies, tractable
from ..envs.dpomdp.search import Found
from ..envs.game import Game, IntArray
from ..errors import UserError
from .behaviours import REGISTRY, Behaviour, JointPolicy

CLOSE = 0.01  # of the way from random play to the best: worth nearly as much
SAME = 1e-6


def near(found: Sequence[Found], random: float) -> Sequence[Found]:
    """The optima worth nearly as much as the best, at least two where there are so many."""
    least = found[0][0] - CLOSE * (found[0][0] - random)
    return found[:max(2, sum(worth >= least for worth, _ in found))]


def best(found: Sequence[Found], random: float) -> Sequence[Found]:
    """All, best first."""
    return found


def lesser(found: Sequence[Found], random: float) -> Sequence[Found]:
    """Those that are worth less than the best; where there are none, all but one of the best."""
    return [each for each in found if each[0] < found[0][0] - SAME] or found[1:] or found


#: families of behaviours: which optima, how many of them, and the share of random actions
FAMILIES = {"near": (near, 4, 0.05), "optimum": (best, 8, 0.2), "lesser": (lesser, 5, 0.3)}


class Following:
    """A team that follows decentralised policies, where each action is random with a probability.

    Args:
        game: that is played.
        policies: of the team.
        noise: the probability.
        episodes: how many there can be.
    """

    def __init__(self, game: DecPomdp, policies: Policies, noise: float, episodes: int) -> None:
        self.game, self.policies, self.noise = game, policies, noise
        self.sizes = np.array(game.model.n_observations)
        self.history = np.zeros((episodes, game.n_agents), dtype=np.int64)
        self.steps = np.zeros(episodes, dtype=np.int64)  # that were seen of each episode

    def __call__(self, state: IntArray, episode: IntArray, rng: np.random.Generator) -> IntArray:
        if (self.steps[episode] != state[:, 0]).any():
            raise UserError("teams that follow a convention remember whole episodes; give the recipe 'per: episode'.")
        self.steps[episode] += 1
        new = np.maximum(state[:, 2:], 0)  # -1, nothing yet, leaves the only history there is
        self.history[episode] = self.history[episode] * self.sizes + new
        chosen = np.empty_like(new)
        for t in np.unique(state[:, 0]):
            rows = state[:, 0] == t
            for i, policy in enumerate(self.policies):
                chosen[rows, i] = policy[t][self.history[episode[rows], i]]
        strays = rng.random(chosen.shape) < self.noise
        return np.where(strays, self.game.random_actions(state, rng), chosen)


def _behaviour(pick: Callable[[Sequence[Found], float], Sequence[Found]], k: int, noise: float) -> Behaviour:
    """The k-th optimum of those that are picked, from the first again where they are fewer."""
    def make(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
        assert isinstance(game, DecPomdp)
        if not tractable(game.model, game.episode_limit):
            raise UserError(f"the optima of this problem at env_args.episode_limit={game.episode_limit} are too large "
                            "to search for; make the horizon shorter, or use the behaviour 'random'.")
        found = pick(optima(game.model, game.episode_limit), game.random_headline())
        return Following(game, found[k % len(found)][1], noise, episodes)
    return make


for _name, (_pick, _count, _noise) in FAMILIES.items():
    for _k in range(_count):
        REGISTRY[f"dpomdp/{_name}_{_k}"] = _behaviour(_pick, _k, _noise)
