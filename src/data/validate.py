"""Checks that a data set is what it claims to be, before anything learns from it.

Every complaint names the source, the key, and the first episode and step that are wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.game import Game
from ..errors import UserError
from .arrays import EpisodeArrays
from .origins import origins, specs

#: dtype and number of axes of every array
LAYOUT = {"state": (np.float32, 3), "actions": (np.int64, 3), "avail_actions": (np.bool_, 4), "reward": (np.float32, 2),
          "terminated": (np.bool_, 2), "filled": (np.bool_, 2), "behaviour": (np.int64, 1), "obs": (np.float32, 4),
          "agent_reward": (np.float32, 3), "no_next": (np.bool_, 2)}
#: what a data set may say of itself under these names, and no other kind of thing
PROVENANCE: dict[str, type[dict[str, Any]] | type[list[Any]]] = {
    "spec": dict, "recipe": dict, "behaviours": list, "assumed": list, "unrecorded": list}
WORDS: dict[type, str] = {dict: "a table", list: "a list"}
AT_ONCE = 2**26  # bytes of episodes whose states are looked at together


def refuse_where(source: str, key: str, wrong: NDArray[np.bool_], what: str, first: int | None = None) -> None:
    """Raises if any entry of ``wrong`` ``[E, T + 1, ...]`` is set, naming the first.

    Args:
        source, key: what is wrong.
        wrong: where.
        what: in which way.
        first: number of the first of the E episodes, by default 0.

    Raises:
        UserError: ``what``, preceded by source, key, episode and step.
    """
    if wrong.any():
        episode, step = np.argwhere(wrong)[0][:2]
        raise UserError(f"{source}: key '{key}', episode {episode + (first or 0)}, step {step}: {what}.")


def validate(data: EpisodeArrays) -> None:
    """Checks types, shapes, provenance, episode structure, NaN, and that actions were possible.

    Raises:
        UserError: one sentence with source, key, episode and step.
    """
    check_shapes(data)
    check_episodes(data)
    if data.first is None:
        check_some_step(data)
    check_values(data)


def check_shapes(data: EpisodeArrays) -> None:
    """Checks types and sizes alone.

    Raises:
        UserError: as :func:`validate`.
    """
    arrays = {key: getattr(data, key) for key in LAYOUT if getattr(data, key) is not None}
    for key, array in arrays.items():
        dtype, axes = LAYOUT[key]
        if array.dtype != dtype:
            raise UserError(f"{data.source}: key '{key}' must hold {np.dtype(dtype)} values, not {array.dtype}.")
        if array.ndim != axes:
            raise UserError(f"{data.source}: key '{key}' must have {axes} axes, not {array.ndim} {array.shape}.")
    for key, array in arrays.items():
        expected = data.filled.shape[: min(2, array.ndim)]
        if array.shape[: len(expected)] != expected:
            raise UserError(f"{data.source}: key '{key}' has {array.shape[: len(expected)]} episodes and steps, "
                            f"but 'filled' has {expected}.")
        if 0 in array.shape or data.filled.shape[1] < 2:
            raise UserError(f"{data.source}: key '{key}' is empty {array.shape}; "
                            "a data set needs at least one episode of one step.")
    agents = data.actions.shape[2]
    for key in ("avail_actions", "obs", "agent_reward"):
        if key in arrays and arrays[key].shape[2] != agents:
            raise UserError(f"{data.source}: key '{key}' is for {arrays[key].shape[2]} agents, 'actions' for {agents}.")


def check_episodes(data: EpisodeArrays) -> None:
    """Checks the provenance, and what is small of each episode: where it ends, who played, what it paid.

    Raises:
        UserError: as :func:`validate`.
    """
    _provenance(data)
    _episodes(data)
    refuse_where(data.source, "reward", ~np.isfinite(data.reward), "the reward is not finite (NaN or infinite)",
                 data.first)


def check_some_step(data: EpisodeArrays) -> None:
    """Raises:
        UserError: no episode has a complete step.
    """
    if not data.steps.any():
        raise UserError(f"{data.source}: no episode has a complete step, so there is nothing to learn from.")


def _provenance(data: EpisodeArrays) -> None:
    for key, kind in PROVENANCE.items():
        if not isinstance(data.meta.get(key, kind()), kind):
            found = type(data.meta[key]).__name__
            raise UserError(f"{data.source}: '{key}' of the provenance must be {WORDS[kind]}, not {found}.")
    names = data.meta.get("behaviours", [])
    wrong = (data.behaviour < -1) | (data.behaviour >= len(names))
    if wrong.any():
        episode = int(wrong.argmax())
        raise UserError(f"{data.source}: key 'behaviour', episode {episode + (data.first or 0)}: "
                        f"{data.behaviour[episode]} is neither -1 nor one of the {len(names)} known behaviours.")


def _episodes(data: EpisodeArrays) -> None:
    filled, terminated = data.filled, data.terminated
    refuse = partial(refuse_where, data.source, first=data.first)
    refuse("filled", ~filled[:, :1], "the episode is empty")
    refuse("filled", np.diff(filled.astype(np.int8), axis=1, prepend=1) > 0,
                 "filled steps follow a gap; an episode must be contiguous")
    refuse("terminated", terminated & ~filled, "the episode ends at a step that is not filled")
    ends = np.cumsum(terminated, axis=1, dtype=np.int64)  # up to and with each step
    refuse("terminated", terminated & (ends > 1), "the episode ends a second time")
    overrun = (ends > terminated) & filled
    overrun[:, 1:] &= overrun[:, :-1]  # the entry right after the end holds the last state
    refuse("filled", overrun, "the episode goes on after it has ended")
    # Learners cut batches to their longest episode; without the last entry they would cut off a step.
    alone = terminated.copy()
    alone[:, :-1] &= ~filled[:, 1:]
    refuse("terminated", alone, "the episode ends without an entry for its last state")
    if data.no_next is not None:
        last = filled.copy()  # the last step: one entry comes after it
        last[:, -1] = False
        last[:, :-1] &= filled[:, 1:]
        last[:, :-2] &= ~filled[:, 2:]
        refuse("no_next", data.no_next & ~last, "this is not the last step of its episode")
        refuse("no_next", data.no_next & terminated, "the episode ends here, so that nothing follows")


def check_values(data: EpisodeArrays, keys: Collection[str] = tuple(LAYOUT)) -> None:
    """Checks what is large: that numbers are finite, and that actions were possible.

    Args:
        data: the episodes.
        keys: the arrays to check; actions are checked together with what was available.

    Raises:
        UserError: as :func:`validate`.
    """
    refuse = partial(refuse_where, data.source, first=data.first)
    for key, what in (("state", "value"), ("obs", "value"), ("agent_reward", "reward")):
        array = getattr(data, key)
        if key in keys and array is not None:
            refuse(key, ~np.isfinite(array), f"a {what} is not finite (NaN or infinite)")
    if "actions" not in keys:
        return
    n_actions = data.avail_actions.shape[3]
    # Padding too: learners index with these and mask afterwards, and 0 times NaN is NaN.
    refuse("actions", (data.actions < 0) | (data.actions >= n_actions),
                 f"an action is outside 0..{n_actions - 1}")
    refuse("avail_actions", ~np.asarray(data.avail_actions.any(3)), "an agent has no available action")
    taken = np.take_along_axis(data.avail_actions, data.actions[..., None], 3)[..., 0]
    refuse("actions", ~taken & data.steps[..., None], "an agent took an action that was not available")


def check_game(data: EpisodeArrays, game: Game) -> None:
    """Refuses a data set of another game, of another variant, or of another shape.

    Data without a specification (imported) must hold states that the game knows.  Of data that were merged, each
    specification is compared.

    Raises:
        UserError: naming the first difference.
    """
    own = game.spec()
    for key, value in (item for spec in specs(data.meta) for item in spec.items()):
        if key in own and own[key] != value:
            what = key if key in ("game", "reward_scalarisation") else f"env_args.{key}"
            raise UserError(f"{data.source} was recorded with {what}={value}, but this run plays {what}={own[key]}.")
    *_, agents, actions = data.shape("avail_actions") or ()
    *_, values = data.shape("state") or ()
    shape = {"agents": (agents, game.n_agents), "actions": (actions, game.n_actions),
             "state values": (values, game.state_dim)}
    for what, (found, wanted) in shape.items():
        if found != wanted:
            raise UserError(f"{data.source} has {found} {what}, but {game.name} has {wanted}.")
    longest = int(data.steps.sum(1).max())
    if longest > game.episode_limit:
        raise UserError(f"{data.source} has episodes of {longest} steps, but {game.name} ends after "
                        f"{game.episode_limit}{_remedy(data, game)}.")
    if not data.meta.get("spec"):
        check_states(data, game)


def _remedy(data: EpisodeArrays, game: Game) -> str:
    """What to do about episodes that are too long."""
    known = inspect.signature(type(game)).parameters
    limits = [f"set env_args.{name}={data.episode_limit}" for name in ("episode_limit", "time_limit") if name in known]
    if data.n_episodes == 1 and not data.terminated.any():
        return (": no step is marked as an end (terminated or truncated), so that all of them are one episode; "
                + ", or, if they are, ".join(["mark the ends in the data", *limits]))
    return "".join(f"; {limit}" for limit in limits)


def foreign_rules(data: EpisodeArrays, game: Game) -> str:
    """A sentence about data that were recorded under other rules than those of the game; empty if there are none.

    Rules that are unknown, as in data of other programs, are not other ones.
    """
    recorded = [each["rules"] for each in origins(data.meta) if each.get("rules")]
    other = next((rules for rules in recorded if rules != game.rules()), None)
    if other is None:
        return ""
    return (f"{data.source} was recorded when the rules of {game.name} were others (digest {other}, now {game.rules()} "
            f"of {', '.join(game.origin().known_by)}); record or make the data anew if the difference matters.")


def check_states(data: EpisodeArrays, game: Game) -> None:
    """Refuses state vectors, of steps that were played, that the game never shows as far as it can tell.

    Raises:
        UserError: naming the first such episode and step.
    """
    at_once = max(1, AT_ONCE // max(1, data.episode_bytes))
    for start in range(0, data.n_episodes, at_once):
        span = slice(start, start + at_once)
        steps = data.steps[span]
        seen = data.column("state", span)[steps]
        state = game.decode(seen)
        if state is None:
            return
        wrong = np.zeros_like(steps)
        wrong[steps] = (game.global_state(state) != seen).any(1)
        refuse_where(data.source, "state", wrong, f"this is not a state of {game.name}", (data.first or 0) + start)
