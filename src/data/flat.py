"""Flat arrays, one row for each step as in D4RL, as a data set and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..envs.game import MOST_ACTIONS
from ..errors import UserError
from ..utils.bounded import check_memory
from .dataset import OfflineDataset
from .ends import ends_of, mend_ends
from .flat_checks import end_flags, mask_flags, numbers, other_shape, refuse, whole_numbers

Array = NDArray[Any]


def dataset_from_arrays(observations: ArrayLike, actions: ArrayLike, rewards: ArrayLike, terminals: ArrayLike,
                        timeouts: ArrayLike | None = None, *, states: ArrayLike | None = None,
                        action_masks: ArrayLike | None = None, next_observations: ArrayLike | None = None,
                        next_states: ArrayLike | None = None, next_action_masks: ArrayLike | None = None,
                        n_actions: int | None = None, source: str = "arrays") -> OfflineDataset:
    """A data set from flat arrays: M steps of N agents, episodes one after the other.

    Row t holds what was seen, what was then done, what it paid, and whether the episode was over after that.  What
    comes after the last end is an episode that was cut off.  An episode is over when every agent has terminated or
    been cut off.

    Args:
        observations: ``[M, N, O]``, numbers.
        actions: ``[M, N]``, whole numbers from 0.
        rewards: ``[M]`` of the team, or ``[M, N]`` of each agent, of which the team gets the mean (games of other
            packages make of them what their ``reward_scalarisation`` says).
        terminals: ``[M]`` or ``[M, N]``, 0 and 1 or truth values: the episode truly ended with this step.
        timeouts: of the same shapes: it was cut off after this step; None: none was.
        states: ``[M, S]``, what the whole team sees; None: the observation, where it is the same for all agents in
            every row, else all agents' observations one after another.
        action_masks: ``[M, N, A]``, 1 for each action that could be chosen; None: all, or those of the game.
        next_observations: of the shape of ``observations``: what was seen after each step, and anything after true
            ends.  Without it the last step of an episode that was cut off serves returns and imitation only.
        next_states: the same of ``states``.
        next_action_masks: the same of ``action_masks``.  Without it, where masks are given and are not always the same,
            the last step of an episode that was cut off serves returns and imitation only.
        n_actions: A; None: that of the masks, else as many as occur.
        source: what to call the data set in messages.

    Returns:
        The data set; its ``save(path)`` writes a file that every command and :func:`load_dataset` read.

    Raises:
        UserError: arrays contradict one another, or hold what cannot be; the sentence names key and row.
    """
    seen = numbers(source, "observations", observations, 3)
    steps, agents = seen.shape[:2]
    if not steps or not agents:
        raise UserError(f"{source}: key 'observations' holds no {'step' if agents else 'agent'}.")
    if n_actions is not None and (isinstance(n_actions, bool) or not isinstance(n_actions, int | np.integer)
                                  or n_actions < 1):
        raise UserError(f"{source}: n_actions must be a whole number of at least 1, not {n_actions!r}.")
    if n_actions is not None and n_actions > MOST_ACTIONS:
        raise UserError(f"{source}: n_actions is above {MOST_ACTIONS}, the most that can be here.")
    chosen = whole_numbers(source, "actions", actions, (steps, agents))
    paid = numbers(source, "rewards", rewards, None)
    if paid.shape not in ((steps,), (steps, agents)):
        raise other_shape(source, "rewards", paid, f"({steps},) or ({steps}, {agents})")
    ends = ends_of(*np.broadcast_arrays(*(end_flags(source, key, given, steps, agents) for key, given in
                                          (("terminals", terminals), ("timeouts", timeouts)))))
    masks = None if action_masks is None else mask_flags(source, "action_masks", action_masks, steps, agents)
    size = _actions_there(source, n_actions, chosen, masks)
    over = ends.stop[ends.ended] - 1  # behind these rows nothing is used
    after = None if next_observations is None else numbers(source, "next_observations", next_observations, seen.shape,
                                                           over)
    state, next_state, private = _states(source, seen, after, states, next_states, over)

    length = np.diff(ends.stop, prepend=0)
    slots = int(length.max()) + 1
    step_bytes = sum(array.nbytes // steps for array in (state, chosen, paid, seen if private else chosen[:0]))
    check_memory(f"{source}: {len(length)} episodes with room for {slots - 1} steps each, as many as the longest has,",
                 float(len(length)) * slots * (step_bytes + agents * size))
    played = np.arange(slots) < length[:, None]  # [E, T + 1]
    last = np.arange(slots) == length[:, None] - 1

    def laid_out(rows: Array, following: Array | None = None, empty: Any = 0) -> Array:
        """Rows ``[M, ...]`` as padded episodes, with what follows each last step behind it."""
        padded = np.full((*played.shape, *rows.shape[1:]), empty, dtype=rows.dtype)
        padded[played] = rows
        if following is not None:
            padded[np.roll(last, 1, axis=1)] = following[ends.stop - 1]
        return padded

    cut = last & ~ends.ended[:, None]
    next_masks = _next_masks(source, masks, next_action_masks)
    open_ended = bool(cut.any()) and (next_state is None or (masks is not None and next_masks is None))
    team = paid if paid.ndim == 1 else paid.mean(1, dtype=np.float64).astype(np.float32)
    meta = {"format": "arrays", "behaviours": [], **({} if masks is not None else {"unrecorded": ["avail_actions"]})}
    everything = np.ones((steps, agents, size), np.bool_) if masks is None else masks
    arrays = {"state": laid_out(state, next_state), "avail_actions": laid_out(everything, next_masks, empty=True),
              "terminated": last & ends.ended[:, None], **({"obs": laid_out(seen, after)} if private else {})}
    mend_ends(arrays)
    return OfflineDataset(
        **arrays, actions=laid_out(chosen), reward=laid_out(team), filled=np.arange(slots) <= length[:, None],
        behaviour=np.full(len(length), -1, np.int64), meta=meta, source=source,
        agent_reward=laid_out(paid) if paid.ndim == 2 else None, no_next=cut if open_ended else None)


def arrays_from_dataset(data: OfflineDataset) -> dict[str, Array]:
    """A data set as flat arrays: the arguments of :func:`dataset_from_arrays`, of M steps.

    Returns:
        ``observations`` ``[M, N, O]`` (the state for each agent where all see it), ``actions`` ``[M, N]``, ``rewards``
        ``[M]``, or ``[M, N]`` where each agent's own are known, ``terminals`` and ``timeouts`` ``[M]`` bool, ``states``
        ``[M, S]``, ``action_masks`` ``[M, N, A]``, and, unless some were not recorded, ``next_observations``,
        ``next_states`` and ``next_action_masks``.
    """
    steps, agents = data.steps, data.actions.shape[2]
    follow = np.roll(steps, 1, axis=1)  # the entry after each step
    seen = data.obs if data.obs is not None else np.repeat(data.state[:, :, None], agents, axis=2)
    final = steps & ~np.roll(steps, -1, axis=1)
    flat: dict[str, Array] = {
        "observations": seen[steps], "actions": data.actions[steps],
        "rewards": data.reward[steps] if data.agent_reward is None else data.agent_reward[steps],
        "terminals": data.terminated[steps], "timeouts": (final & ~data.terminated)[steps],
        "states": data.state[steps], "action_masks": data.avail_actions[steps]}
    if data.no_next is None:
        flat |= {"next_observations": seen[follow], "next_states": data.state[follow],
                 "next_action_masks": data.avail_actions[follow]}
    return flat


def _next_masks(source: str, masks: Array | None, given: ArrayLike | None) -> Array | None:
    """What could be chosen after each step, ``[M, N, A]``, if it is known or always the same."""
    if given is None:
        return masks if masks is not None and bool((masks == masks[:1]).all()) else None
    if masks is None:
        raise UserError(f"{source}: key 'next_action_masks' needs 'action_masks'.")
    after = mask_flags(source, "next_action_masks", given, *masks.shape[:2])
    if after.shape != masks.shape:
        raise other_shape(source, "next_action_masks", after, str(masks.shape))
    return after


def _actions_there(source: str, n_actions: int | None, chosen: NDArray[np.int64], masks: Array | None) -> int:
    """A."""
    if masks is not None:
        if n_actions not in (None, masks.shape[2]):
            raise UserError(f"{source}: n_actions={n_actions}, but key 'action_masks' is for {masks.shape[2]} actions.")
        n_actions = int(masks.shape[2])
    if n_actions is None:
        refuse(source, "actions", chosen >= MOST_ACTIONS, f"an action is outside 0..{MOST_ACTIONS - 1}, the most that "
               "can be here; it may stand for a missing value")
        return int(chosen.max()) + 1
    refuse(source, "actions", chosen >= n_actions, f"an action is outside 0..{n_actions - 1}")
    if masks is not None:
        taken = np.take_along_axis(masks, chosen[..., None], 2)[..., 0]
        refuse(source, "actions", ~taken, "an agent took an action that was not available")
    return int(n_actions)


def _states(source: str, seen: NDArray[np.float32], after: NDArray[np.float32] | None, states: ArrayLike | None,
            next_states: ArrayLike | None, over: NDArray[np.int64]) -> tuple[Array, Array | None, bool]:
    """States ``[M, S]``, those after each step, and whether agents see something else."""
    if states is None:
        if next_states is not None:
            raise UserError(f"{source}: key 'next_states' needs 'states'.")
        alike = bool((seen == seen[:, :1]).all()) and (after is None or bool((after == after[:, :1]).all()))
        state, follow = ((each if each is None else each[:, 0] if alike else each.reshape(len(each), -1))
                         for each in (seen, after))
        assert state is not None
        return state, follow, not alike
    state = numbers(source, "states", states, 2)
    if len(state) != len(seen):
        raise other_shape(source, "states", state, f"({len(seen)}, number of values)")
    follow = None if next_states is None else numbers(source, "next_states", next_states, state.shape, over)
    private = seen.shape[2] != state.shape[1] or bool((seen != state[:, None]).any()) or (
        follow is not None and after is not None and bool((after != follow[:, None]).any()))
    if (follow is None) != (after is None):
        if private:
            raise UserError(f"{source}: of 'next_observations' and 'next_states', give both or none.")
        follow = after[:, 0] if follow is None and after is not None else follow
    return state, follow, private
