"""The named behaviours that data sets are mixed from.

A behaviour is told the game and a generator once per data set and then chooses joint actions for
batches of states.  Exact experts exist for these games, so the quality of a data set is a matter of
shares, not of half-trained policies.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..envs.aloha import Aloha
from ..envs.bridge import Bridge, cell_indices
from ..envs.game import BoolArray, Game, IntArray
from ..envs.sensor import NOOP, Sensor
from ..errors import UserError
from ..utils.registry import Registry, nearest

#: chooses joint actions ``[B, N]`` for states ``[B, K]`` of the episodes with numbers ``[B]``
JointPolicy = Callable[[IntArray, IntArray, np.random.Generator], IntArray]
#: makes a policy for one data set of the given number of episodes
Behaviour = Callable[[Game, int, np.random.Generator], JointPolicy]

#: which returns, best first, occur among the shortest crossings that AlberDICE recorded
RECORDED_RANKS = (0, 1, 3)

REGISTRY: Registry[Behaviour] = Registry("behaviour")


def behaviour(name: str) -> Callable[[Behaviour], Behaviour]:
    """Registers a behaviour as ``<game>/<name>``, or for every game as ``<name>``."""

    def add(make: Behaviour) -> Behaviour:
        REGISTRY[name] = make
        return make

    return add


def behaviour_named(game: Game, name: str) -> Behaviour:
    """The behaviour ``name`` of ``game``, or the general one of that name.

    Raises:
        UserError: there is none.
    """
    own = {key.removeprefix(f"{game.name}/"): make for key, make in REGISTRY.items()}
    choices = {key: make for key, make in own.items() if "/" not in key}
    if name not in choices:
        raise UserError(f"unknown behaviour '{name}' of {game.name}{nearest(name, choices)}; "
                        f"the choices are: {', '.join(sorted(choices))}.")
    return choices[name]


@behaviour("random")
def _random(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Uniform over the available actions."""
    return lambda state, episode, rng: game.random_actions(state, rng)


@behaviour("optimal")
def _optimal(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Uniform over the optimal joint actions of each state."""

    def act(state: IntArray, episode: IntArray, rng: np.random.Generator) -> IntArray:
        sets = game.optimal_actions(state)
        if sets is None:
            raise UserError(f"{game.name} does not tabulate its optimal joint actions; "
                            "use another behaviour than 'optimal' in the recipe.")
        return np.stack([rows[rng.integers(len(rows))] for rows in sets])

    return act


@behaviour("xor/optimal_or_first")
def _optimal_or_first(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Uniform over the optimal joint actions and the one in which everybody plays A."""
    sets = game.optimal_actions(game.initial(1, rng))
    assert sets is not None
    rows = np.concatenate([np.zeros((1, game.n_agents), dtype=np.int64), sets[0]])
    return lambda state, episode, rng: rows[rng.integers(len(rows), size=len(state))]


@behaviour("bridge/crossing")
def _crossing(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Shortest crossings as in AlberDICE's ``optimal``: one of three returns, then a path with that return."""
    assert isinstance(game, Bridge)
    by_return = crossings(game)
    classes = [by_return[rank] for rank in RECORDED_RANKS if rank < len(by_return)]
    picks = rng.integers(len(classes), size=episodes)
    plans = [classes[k][rng.integers(len(classes[k]))] for k in picks]
    joint = np.array(list(itertools.product(range(game.n_actions), repeat=game.n_agents)))

    def act(state: IntArray, episode: IntArray, rng: np.random.Generator) -> IntArray:
        chosen = np.empty((len(state), game.n_agents), dtype=np.int64)
        for b, row in enumerate(state):  # any joint action that leads along the planned path
            after = game.transition(np.repeat(row[None], len(joint), 0), joint, rng).state
            fits = joint[(after[:, 1:] == plans[episode[b]][row[0] + 1]).all(1)]
            chosen[b] = fits[rng.integers(len(fits))]
        return chosen

    return act


def crossings(game: Bridge) -> list[list[IntArray]]:
    """State paths ``[L + 1, 4]`` that cross in the fewest steps L, grouped by return, best first."""
    rng = np.random.default_rng(0)  # the rules draw nothing
    joint = np.array(list(itertools.product(range(game.n_actions), repeat=game.n_agents)))
    to_finish = game.steps_to_finish()
    start = game.initial(1, rng)
    steps = int(to_finish[cell_indices(start)][0])
    paths: dict[tuple[int, ...], list[tuple[tuple[tuple[int, ...], ...], float]]]
    paths = {tuple(map(int, start[0, 1:])): [((), 0.0)]}
    for t in range(steps):
        ahead: dict[tuple[int, ...], list[tuple[tuple[tuple[int, ...], ...], float]]] = {}
        for cell, known in paths.items():
            rows = np.repeat(np.array([[t, *cell]]), len(joint), 0)
            step = game.transition(rows, joint, rng)
            in_time = to_finish[cell_indices(step.state)] <= steps - t - 1
            moves = {tuple(map(int, after)): float(reward)
                     for after, reward, fits in zip(step.state[:, 1:], step.reward, in_time, strict=True) if fits}
            for after, reward in moves.items():
                ahead.setdefault(after, []).extend(((*path, cell), value + reward) for path, value in known)
        paths = ahead
    by_return: dict[float, list[IntArray]] = {}
    for cell, known in paths.items():
        for path, value in known:
            by_return.setdefault(round(value, 6), []).append(np.array([*path, cell]))
    return [by_return[value] for value in sorted(by_return, reverse=True)]


@behaviour("sensor/expert")
def _expert(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Four exact experts, a quarter of the episodes each, that break ties in different orders."""
    assert isinstance(game, Sensor)
    n_modes = 4
    taste = rng.random((n_modes, game.n_agents, game.n_actions))
    agents = np.arange(game.n_agents)
    table: dict[tuple[int, ...], IntArray] = {}

    def act(state: IntArray, episode: IntArray, rng: np.random.Generator) -> IntArray:
        chosen = np.empty((len(state), game.n_agents), dtype=np.int64)
        for b, preys in enumerate(map(tuple, np.sort(state[:, 1:], axis=1).tolist())):
            if preys not in table:
                rows = game.solution(preys)[1]
                table[preys] = rows[taste[:, agents, rows].sum(2).argmax(1)]  # [modes, N]
            chosen[b] = table[preys][episode[b] % n_modes]
        return chosen

    return act


def _scan(game: Game, eagerness: float) -> JointPolicy:
    """Each sensor scans a random adjacent target with probability ``eagerness``, else nothing."""
    assert isinstance(game, Sensor)

    def act(state: IntArray, episode: IntArray, rng: np.random.Generator) -> IntArray:
        there = (game.scanned[None, :, :, None] == state[:, None, None, 1:]).any(3)  # [B, N, A]
        pick = (rng.random(there.shape) * there).argmax(2)
        scans = there.any(2) & (rng.random(pick.shape) < eagerness)
        return np.where(scans, pick, NOOP)

    return act


@behaviour("sensor/eager")
def _eager(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Each sensor scans a random adjacent target."""
    return _scan(game, 1.0)


@behaviour("sensor/hesitant")
def _hesitant(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Each sensor scans a random adjacent target with probability one half."""
    return _scan(game, 0.5)


def _uniform_sets(sets: BoolArray) -> JointPolicy:
    rows = sets.astype(np.int64)
    return lambda state, episode, rng: rows[rng.integers(len(rows), size=len(state))]


@behaviour("aloha/parity")
def _parity(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """At each step one of the largest independent sets sends (by default evens or odds)."""
    assert isinstance(game, Aloha)
    sizes = game.maximal_sets.sum(1)
    return _uniform_sets(game.maximal_sets[sizes == sizes.max()])


@behaviour("aloha/maximal")
def _maximal(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """At each step a random maximal independent set sends."""
    assert isinstance(game, Aloha)
    return _uniform_sets(game.maximal_sets)


@behaviour("aloha/independent")
def _independent(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """At each step a random independent set sends."""
    assert isinstance(game, Aloha)
    return _uniform_sets(game.independent_sets)
