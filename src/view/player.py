"""The episodes that a page can play: states, observations, actions, rewards, pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import OfflineDataset
from ..envs.game import Game
from .columns import packed, size
from .drawing import Drawings
from .story import story

#: characters that what is played may take in the file
ROOM = 14_000_000
MOST_PICTURES = 60_000


def player(data: OfflineDataset, game: Game | None, room: int = ROOM, pictures: int = MOST_PICTURES) -> dict[str, Any]:
    """The first episodes, as many as there is room for; in order, one entry for each state.

    Args:
        data: whole.
        game: draws the states; None where the rules are not known.
        room: characters that they may take.
        pictures: most pictures to draw.

    Returns:
        Columns, ``shown`` (how many episodes can be played) and ``drawn`` (how many of them have pictures).
    """
    shown = data.n_episodes
    while True:
        columns = _columns(data, game, shown)
        taken = size(columns)
        if taken <= room or shown == 1:
            break
        shown = max(1, min(shown - 1, int(0.95 * shown * room / taken)))
    drawn, drawings = _drawn(data, game, shown, pictures)
    return {**columns, "shown": shown, "drawn": drawn, "drawings": drawings}


def _columns(data: OfflineDataset, game: Game | None, shown: int) -> dict[str, Any]:
    entries = _entries(data)[:shown]
    available = np.packbits(data.avail_actions[:shown][entries], axis=-1, bitorder="little")
    own, obs = data.agent_reward, None if data.obs is None else data.obs[:shown][entries]
    if obs is None and game is not None and game.pure and game.obs_dim != game.state_dim:
        obs = game.view(data.state[:shown][entries])
    return {"states": packed(data.state[:shown][entries]), "actions": packed(data.actions[:shown][entries]),
            "rewards": packed(data.reward[:shown][entries]), "available": packed(available),
            "terminated": packed(np.asarray(data.terminated[:shown].any(1))),
            "openEnds": None if data.no_next is None else packed(np.asarray(data.no_next[:shown].any(1))),
            "obs": None if obs is None else packed(obs),
            "agentRewards": None if own is None else packed(own[:shown][entries])}


def _entries(data: OfflineDataset) -> NDArray[np.bool_]:
    """Bool ``[E, T + 1]``: the complete steps of each episode, and one entry more."""
    time = np.arange(data.steps.shape[1])
    return np.asarray(time <= data.steps.sum(1)[:, None])


def _drawn(data: OfflineDataset, game: Game | None, shown: int, most: int) -> tuple[int, dict[str, Any] | None]:
    """Pictures of the first episodes, as long as they are not too many."""
    if game is None or not game.pure:
        return 0, None
    lengths = data.steps[:shown].sum(1) + 1
    count = int(np.searchsorted(lengths.cumsum(), most, side="right"))
    if not count or (data.no_next is not None and bool(data.no_next[:count].any())):
        return 0, None
    actions = data.actions[:count]
    states = story(game, data.state[:count], actions, lengths[:count] - 1)
    if states is None:
        return 0, None
    drawings = Drawings(game)
    for own, joint, length in zip(states, actions, lengths.tolist(), strict=False):
        drawings.episode(own[:length], joint[:length])
    return count, drawings.content
