"""Data sets made from a recipe: shares of named behaviours, played in the batched game."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..envs.game import Game
from ..errors import UserError
from ..utils.bounded import check_memory, is_there
from ..utils.files import reason
from ..utils.progress import counting
from ..utils.sources import folder_digest
from . import behaviours_dpomdp, behaviours_large, scripted  # noqa: F401 (register their behaviours)
from .behaviours import behaviour_named
from .dataset import OfflineDataset

AT_ONCE = 100  # episodes of another package's environment, of which every one takes an object
GENERATOR = 1  # raised when the same recipe and seed would give other data


def generate(game: Game, recipe: Mapping[str, Any], seed: int, quality: str = "custom") -> OfflineDataset:
    """Plays ``recipe["episodes"]`` episodes of the game with the recipe's behaviours.

    Args:
        game: the game to play.
        recipe: ``episodes``, ``mixture`` (behaviour name to share) and optionally ``per``:
            ``episode`` (default; shares are exact counts) or ``step`` (drawn anew at each step).
        seed: decides everything in the data set.
        quality: the recipe's name, kept in the provenance.

    Raises:
        UserError: the recipe is not one, or names an unknown behaviour.
    """
    episodes, shares, per_step = _checked(recipe, f"recipe '{quality}' of {game.name}")
    each = 4 * game.state_dim + game.n_agents * (8 + game.n_actions + (0 if game.pure else 4 * game.obs_dim + 4)) + 6
    check_memory(f"recipe '{quality}' of {game.name}, episodes={episodes},", episodes * (game.episode_limit + 1) * each)
    if seed < 0:
        raise UserError(f"the seed of a data set must not be negative, but is {seed}.")
    rng = np.random.default_rng([seed, *hashlib.sha256(quality.encode()).digest()[:4]])
    names = list(shares)
    weights = np.array([shares[name] for name in names]) / sum(shares.values())
    policies = [behaviour_named(game, name)(game, episodes, rng) for name in names]
    edges = np.round(np.concatenate([[0.0], weights.cumsum()]) * episodes).astype(np.int64)
    counts = edges[1:] - edges[:-1]
    behaviour = rng.permutation(np.repeat(np.arange(len(names)), counts))

    limit, n = game.episode_limit, game.n_agents
    states = np.zeros((episodes, limit + 1, game.state_dim), dtype=np.float32)
    actions = np.zeros((episodes, limit + 1, n), dtype=np.int64)
    available = np.ones((episodes, limit + 1, n, game.n_actions), dtype=np.bool_)
    reward = np.zeros((episodes, limit + 1), dtype=np.float32)
    terminated = np.zeros((episodes, limit + 1), dtype=np.bool_)
    filled = np.zeros((episodes, limit + 1), dtype=np.bool_)
    obs = own = None
    if not game.pure:  # what the agents see does not follow from the state, and each is paid by itself
        obs = np.zeros((episodes, limit + 1, n, game.obs_dim), dtype=np.float32)
        own = np.zeros((episodes, limit + 1, n), dtype=np.float32)

    at_once = episodes if game.pure else AT_ONCE
    with counting(f"making {game.name} {quality}", episodes * limit) as progress:
        for first in range(0, episodes, at_once):
            played = first * limit  # those before may have ended early
            running = np.arange(first, min(first + at_once, episodes))
            state, over = game.initial(len(running), rng), np.zeros(len(running), dtype=np.bool_)
            for t in range(limit + 1):
                states[running, t] = game.global_state(state)
                available[running, t] = game.available(state)
                filled[running, t] = True
                if obs is not None:
                    obs[running, t] = game.observe(state)
                running, state = running[~over], state[~over]
                if not len(running):
                    break
                who = rng.choice(len(names), size=len(running), p=weights) if per_step else behaviour[running]
                chosen = np.empty((len(running), n), dtype=np.int64)
                for k, policy in enumerate(policies):
                    rows = np.flatnonzero(who == k)
                    if len(rows):
                        chosen[rows] = policy(state[rows], running[rows], rng)
                actions[running, t] = chosen
                step = game.transition(state, chosen, rng)
                reward[running, t], terminated[running, t] = step.reward, step.terminated
                if own is not None and step.rewards is not None:
                    own[running, t] = step.rewards
                state, over = step.state, step.done
                progress.at(played := played + len(running))
    meta = {"spec": game.spec(), "recipe": {**recipe, "mixture": shares}, "quality": quality, "seed": seed,
            "behaviours": names, "generator": GENERATOR, "version": __version__, "rules": game.rules()}
    if per_step:
        behaviour = np.full(episodes, -1, dtype=np.int64)
    return OfflineDataset(states, actions, available, reward, terminated, filled, behaviour, meta, obs,
                          source=f"{game.name} {quality}, seed {seed}", agent_reward=own)


def _checked(recipe: Mapping[str, Any], name: str) -> tuple[int, dict[str, float], bool]:
    """Episodes, shares by behaviour, and whether behaviours are drawn at each step."""
    episodes, mixture, per = recipe.get("episodes"), recipe.get("mixture"), recipe.get("per", "episode")
    if set(recipe) - {"episodes", "mixture", "per"} or per not in ("episode", "step"):
        raise UserError(f"{name} may hold 'episodes', 'mixture' and 'per' (episode or step) only.")
    if type(episodes) is not int or episodes < 1:
        raise UserError(f"{name} needs 'episodes', a whole number of at least 1, not {episodes!r}.")
    mixture = dict(mixture) if isinstance(mixture, Mapping) else {}
    numbers = list(mixture.values())
    if any(type(share) not in (int, float) or not share >= 0 for share in numbers) or abs(sum(numbers) - 1.0) > 1e-6:
        raise UserError(f"{name} needs 'mixture', behaviours with shares from 0 to 1 that sum to 1, not {mixture}.")
    return episodes, mixture, per == "step"


def check_recipe(game: Game, recipe: Mapping[str, Any], quality: str) -> None:
    """Raises:
        UserError: the recipe is not one, or names an unknown behaviour.
    """
    for name in _checked(recipe, f"recipe '{quality}' of {game.name}")[1]:
        behaviour_named(game, name)


def recipe_digest(game: Game, recipe: Mapping[str, Any], seed: int, quality: str) -> str:
    """Twelve hex digits for all that decides a recipe's data set beside the rules: its behaviours as they are now."""
    return _digest([game.spec(), _played(game, recipe, quality), dict(recipe), seed, quality, GENERATOR])


def cache_file(game: Game, recipe: Mapping[str, Any], seed: int, quality: str, folder: Path) -> Path:
    """Where a recipe's data set is kept: the name holds a digest of all that decides its contents, the rules too."""
    played = _played(game, recipe, quality)
    digest = _digest([game.spec(), game.rules(), played, dict(recipe), seed, quality, GENERATOR])
    return folder / f"{game.name}-{quality}-seed{seed}-{digest}.npz"


def _played(game: Game, recipe: Mapping[str, Any], quality: str) -> list[str]:
    """Digests of the behaviours of a recipe."""
    return [folder_digest(behaviour_named(game, name)) for name in sorted(_checked(recipe, quality)[1])]


def _digest(identity: list[Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def cached(game: Game, recipe: Mapping[str, Any], seed: int, quality: str, folder: Path) -> OfflineDataset:
    """Like :func:`generate`, but kept in ``folder`` and read from there the next time.

    Raises:
        UserError: as :func:`generate`; the kept file is damaged; the folder cannot be written.
    """
    path = cache_file(game, recipe, seed, quality, folder)
    if is_there(path):
        return OfflineDataset.load(path)
    data = generate(game, recipe, seed, quality)
    keep(data, path)
    return data


def keep(data: OfflineDataset, path: Path) -> None:
    """Writes a data set into a folder of data sets, which is made if needed.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data.write(path)
    except OSError as error:
        raise UserError(f"the data set cannot be written to {path.parent} ({reason(error)}); "
                        "choose another folder with datasets_path=<folder>.") from None
