"""Data of other programs in the terms of the game that they are used for, and what is to be said of data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.game import Game
from ..errors import UserError
from .arrays import EpisodeArrays
from .chunks import spans
from .dataset import OfflineDataset
from .mapped import MappedDataset
from .origins import listed, origins
from .validate import foreign_rules


def fitted(data: OfflineDataset, game: Game) -> OfflineDataset:
    """Data of other programs as the game has it; ours are returned as they are.

    Where every agent is paid by itself, in the data and in the game, the team's reward becomes what the game makes of
    them (``reward_scalarisation``).  Where nobody recorded which actions there were, they are those of the game.
    """
    if data.meta.get("spec"):
        return data
    changed: dict[str, Any] = {}
    if (reward := _team_reward(data, game)) is not None:
        changed["reward"] = reward
    *_, agents, actions = data.shape("avail_actions") or (0,)
    if "avail_actions" in data.meta.get("unrecorded", []) and agents == game.n_agents and actions <= game.n_actions:
        available = np.broadcast_to(game.possible(), (*data.filled.shape, agents, game.n_actions))
        if not isinstance(data, MappedDataset):  # of which a copy for each step may be larger than the memory
            available = available.copy()
            available[~data.filled] = True  # so that a masked softmax over padding has something to choose
        changed["avail_actions"] = available
    return data.with_arrays(**changed) if changed else data


def _team_reward(data: OfflineDataset, game: Game) -> NDArray[np.float32] | None:
    """What the game makes of the agents' own rewards, ``[E, T + 1]``; None where the team's are as they should be."""
    if game.pure or data.shape("agent_reward") is None:
        return None
    found, alike = np.empty(data.filled.shape, np.float32), True
    for span in spans(data.n_episodes, data.episode_bytes):
        own = data.column("agent_reward", span).astype(np.float64)
        alike = alike and bool((own == own[..., :1]).all())
        found[span] = own.sum(2) if game.reward_scalarisation == "sum" else own.mean(2)
    # Where all get the same from a game that pays the team only, these are copies of the team's reward.
    return None if alike and game.pays_team() else found


def check_team(data: OfflineDataset, game: Game) -> None:
    """Refuses data of opponents: where the agents' own rewards always cancel out, a team has nothing to win.

    Raises:
        UserError: they do.
    """
    if data.shape("agent_reward") is None or game.pure:
        return
    paid = False
    for span in spans(data.n_episodes, data.episode_bytes):
        own = data.column("agent_reward", span)[data.steps[span]].astype(np.float64)
        if not np.allclose(own.sum(1), 0.0, atol=1e-6):
            return
        paid = paid or bool(own.any())
    if paid:
        raise UserError(f"the agents' rewards in {data.source} cancel out at every step: what one gets the others "
                        f"lose. Agents of {game.name} that play against one another cannot be trained as one team.")


def remarks(data: OfflineDataset, game: Game) -> Iterator[str]:
    """Sentences about what users of the data must know."""
    yield from filter(None, [foreign_rules(data, game), open_ends(data, game)])
    parts = origins(data.meta)
    assumed = dict.fromkeys(each for part in parts for each in listed(part, "assumed"))
    yield from (f"{data.source}: {each}." for each in assumed)
    unmasked = sum("avail_actions" in listed(part, "unrecorded") for part in parts)
    if 0 < unmasked < len(parts):
        yield (f"{data.source}: {unmasked} of the {len(parts)} data sets that it was merged from do not say which "
               "actions were available; in their episodes all count as available.")


def open_ends(data: OfflineDataset, game: Game) -> str:
    """A sentence about episodes that end without the state after their last action; empty if there are none."""
    if data.no_next is None or not data.no_next.any():
        return ""
    at_horizon = int(ends_at_horizon(data, game).sum())
    early = int(data.no_next.sum()) - at_horizon
    told = []
    if at_horizon:
        told.append(f"{at_horizon} of them last as long as {game.name} does ({game.episode_limit} steps), which is "
                    "taken for their true end")
    if early:
        told.append(f"{early} were cut off before, so that only returns and imitation (bc, ar_bc) use their last step")
    return (f"{data.source}: {at_horizon + early} of {data.n_episodes} episodes end without the state after their last "
            f"action; {'; '.join(told)}.")


def ends_at_horizon(data: EpisodeArrays, game: Game) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Bool ``[E, T + 1]``: last steps without a state after them beyond which the game does not go either."""
    time = np.arange(data.filled.shape[1])
    return np.asarray(data.no_next & (time == game.episode_limit - 1))
