"""Where episodes end in recordings that hold one row of time with flags for each agent, and what stands behind ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TOLD = 0.01  # share of the time's variance that a state which tells it leaves open


class Ends(NamedTuple):
    """E episodes one after the other.

    Attributes:
        stop: index of the step after the last one of each, ``[E]``.
        ended: whether it truly ended, so that nothing follows, ``[E]``.
    """

    stop: NDArray[np.int64]
    ended: NDArray[np.bool_]


def ends_of(terminal: NDArray[np.bool_], truncated: NDArray[np.bool_]) -> Ends:
    """Episodes by the flags of K agents: one is over as soon as each of them has terminated or been truncated.

    It makes no difference whether an agent's flag stays set after its own end or stands at that step only.  The episode
    was cut off if an agent was truncated, and did not terminate, at the step at which the last ones ended.

    Args:
        terminal, truncated: ``[steps, K]``; what comes after the last end is an unfinished episode.
    """
    steps, over = len(terminal), terminal | truncated
    agents = [np.flatnonzero(flags) for flags in over.T]
    stops, ended, start = list[int](), list[bool](), 0
    while start < steps:
        places = [int(np.searchsorted(flagged, start)) for flagged in agents]
        if any(place == len(flagged) for place, flagged in zip(places, agents, strict=True)):
            stops.append(steps)  # the writer stopped within an episode
            ended.append(False)
            break
        first = np.array([flagged[place] for place, flagged in zip(places, agents, strict=True)])
        last = int(first.max())
        late = first == last
        stops.append(last + 1)
        ended.append(bool(terminal[last, late].all()))
        start = last + 1
    return Ends(np.array(stops, np.int64), np.array(ended, np.bool_))


def mend_ends(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Makes sound what stands behind true ends, in place: games may show anything there, and nothing depends on it.

    States and observations that are not finite become 0, and an agent without any action gets all of them, so that a
    masked softmax has something to choose.

    Args:
        arrays: ``terminated``, ``avail_actions``, ``state`` and perhaps ``obs`` of episodes, as in
            :class:`.arrays.EpisodeArrays`.
    """
    behind = np.zeros_like(arrays["terminated"])
    behind[:, 1:] = arrays["terminated"][:, :-1]
    for key in (key for key in ("state", "obs") if key in arrays):
        seen = arrays[key][behind]
        seen[~np.isfinite(seen).all(-1)] = 0
        arrays[key][behind] = seen
    available = arrays["avail_actions"][behind]
    available[~available.any(-1)] = True
    arrays["avail_actions"][behind] = available


class LimitTold(NamedTuple):
    """What data tell of the episode limit.

    Attributes:
        is_end: whether it is to be taken for the game's own end.
        reason: a clause.
    """

    is_end: bool
    reason: str


def limit_told(terminated: NDArray[np.bool_], state: NDArray[np.float32], filled: NDArray[np.bool_], limit: int,
               ) -> LimitTold:
    """Whether the episode limit is to be taken for the game's own end, as far as the data tell.

    It is if no recorded episode ended before; and if states tell the time, as values of the last ones could only be
    guessed from earlier ones otherwise: nobody recorded how it goes on from there.

    Args:
        terminated: ``[E, T + 1]``, true at the last step of an episode that truly ended.
        state: ``[E, T + 1, S]``; some of the episodes will do.
        filled: of the same episodes, ``[E, T + 1]``.
        limit: of steps.
    """
    before = int(terminated[:, :limit - 1].any(1).sum())
    if not before:
        return LimitTold(True, f"no recorded episode ended before its {limit} steps")
    if tells_time(state, filled):
        return LimitTold(True, "states tell the time")
    return LimitTold(False, f"{before} of {len(terminated)} recorded episodes ended before its {limit} steps")


def known(state: NDArray[np.float32], available: NDArray[np.bool_], filled: NDArray[np.bool_],
          terminated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The entries that somebody has seen, ``[E, T + 1]``.

    Formats that do not hold what followed a true end have nothing there: zeros, and every action.  Where all such
    entries look so, and others do not, they were not recorded.

    Args:
        state: ``[E, T + 1, S]``.
        available: ``[E, T + 1, N, A]``.
        filled, terminated: ``[E, T + 1]``.
    """
    behind = np.zeros_like(filled)
    behind[:, 1:] = filled[:, 1:] & terminated[:, :-1]
    empty = not state[behind].any() and bool(available[behind].all())
    seen: NDArray[np.bool_] = filled & ~behind if empty and state[filled & ~behind].any() else filled
    return seen


def tells_time(state: NDArray[np.float32], filled: NDArray[np.bool_]) -> bool:
    """Whether the time step is (nearly) a linear function of the state, of which it explains 99 % of the variance.

    Both variances are estimated without bias: with as many weights as places any function fits.
    """
    episode, time = np.nonzero(filled)
    if time.max(initial=0) < 2:
        return False
    seen = state[episode, time].astype(np.float64)
    seen = np.column_stack([seen, np.ones(len(seen))])
    weights, _, rank, _ = np.linalg.lstsq(seen, time.astype(np.float64), rcond=None)
    free = len(seen) - int(rank)
    return free > 0 and bool(((time - seen @ weights) ** 2).sum() / free <= TOLD * np.var(time, ddof=1))
