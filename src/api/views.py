"""What an environment of the caller's shows, as the arrays that a team takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..build import Team
from ..errors import UserError, clipped


class Views:
    """Reads what the agents of a team see.

    Args:
        team: whose game and sizes count.

    Attributes:
        episodes: B, or None for one episode without that axis.
        names: of the agents in their order, once they have been seen.
    """

    def __init__(self, team: Team) -> None:
        self.team, self.names = team, list[str]()
        self._held = _state_in_observations(team)
        self.begin(None)

    def begin(self, episodes: int | None) -> None:
        """Begins so many episodes."""
        self.episodes = episodes

    def read(self, observations: Mapping[str, Any] | ArrayLike, action_masks: ArrayLike | None, begins: bool,
             ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Observations ``[B, N, O]`` and masks ``[B, N, A]``.

        Args:
            observations, action_masks: as of :meth:`.playing.TeamPolicy.act`.
            begins: whether this is an episode's first step, whose names of the agents hold from then on.

        Raises:
            UserError: shapes or names do not fit.
        """
        info = self.team.info
        if isinstance(observations, Mapping):
            observations, own = self._by_agent(observations, begins)
            action_masks = own if action_masks is None else action_masks
        seen = self._array("observations", observations, (info.n_agents, info.obs_shape))
        if action_masks is None:
            masks = np.broadcast_to(self.team.game.possible(), (len(seen), info.n_agents, info.n_actions)).astype(bool)
        else:
            masks = self._array("action_masks", action_masks, (info.n_agents, info.n_actions)) != 0
        masks[..., 0] |= ~masks.any(2)  # an agent that can do nothing does 0, as in training
        return seen, masks

    def _by_agent(self, observations: Mapping[str, Any], begins: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Observations ``[N, O]`` and masks ``[N, A]`` in the agents' order.

        The order is that of the game, whatever that of the observations.  Agents that have left see zeros and can only
        choose action 0, as in training.
        """
        name, info = self.team.game.name, self.team.info
        if self.episodes is not None:
            raise UserError(f"act() of {self.episodes} episodes takes arrays, not observations by agent.")
        if begins:
            numbered = [f"agent_{i}" for i in range(info.n_agents)]
            own = [*self.team.game.agents] or numbered
            self.names = numbered if set(observations) == set(numbered) else own
        strange = [agent for agent in observations if agent not in self.names]
        if strange or (begins and len(observations) != info.n_agents):
            raise UserError(f"{name} has {info.n_agents} agents, but observations are of "
                            f"{len(observations)}: {', '.join(map(str, observations)) or 'none'}. They must be "
                            f"of {clipped(', '.join(map(str, self.names)))}, or an array with one row for each of them "
                            "in this order.")
        seen, masks = np.zeros((info.n_agents, info.obs_shape), np.float32), np.zeros((info.n_agents, info.n_actions))
        masks[:, 0] = 1
        possible = self.team.game.possible()
        for number, agent in enumerate(self.names):
            if agent in observations:
                view = observations[agent]
                inside = view if isinstance(view, Mapping) else {"observation": view}
                size = self.team.game.own_obs_dim(number)  # what is shorter than that of others ends with zeros
                seen[number, :size] = self._part(f"the observation of {agent}", inside.get("observation"), size)
                masks[number] = self._part(f"the action_mask of {agent}",
                                           inside.get("action_mask", possible[number]), info.n_actions)
        return seen, masks

    def _part(self, what: str, given: Any, size: int) -> NDArray[np.float32]:
        """One agent's numbers ``[size]``."""
        try:
            array = np.asarray(given, dtype=np.float32).reshape(-1)
        except (ValueError, TypeError, OverflowError):
            raise UserError(f"{what} must be {size} numbers.") from None
        if len(array) != size:
            raise UserError(f"{what} must be {size} numbers, not {len(array)}.")
        if not np.isfinite(array).all():
            raise UserError(f"{what} holds a value that is not finite (NaN or infinite).")
        return array

    def _array(self, what: str, given: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array ``[B, *shape]``."""
        wanted = shape if self.episodes is None else (self.episodes, *shape)
        try:
            array = np.asarray(given, dtype=np.float32)
        except (ValueError, TypeError, OverflowError):
            raise UserError(f"{what} must be numbers of the shape {wanted}.") from None
        if array.shape != wanted:
            raise UserError(f"{what} must have the shape {wanted}, not {array.shape}.")
        if not np.isfinite(array).all():
            raise UserError(f"{what} hold a value that is not finite (NaN or infinite).")
        return array[None] if self.episodes is None else array

    def state(self, given: ArrayLike | None, seen: NDArray[Any]) -> NDArray[Any]:
        """The state ``[B, S]``: the one given, or that which observations ``[B, N, O]`` hold.

        Raises:
            UserError: there is none, and the team acts on it.
        """
        if given is not None:
            return self._array("state", given, (self.team.info.state_shape,))
        if self._held:
            return seen[:, 0] if self._held == "each" else seen.reshape(len(seen), -1)
        if self.team.config["policy_input"] == "state":
            raise UserError(f"this team acts on the state of {self.team.game.name}, which its agents' observations do "
                            "not hold; call act(observations, state=env.state()).")
        return np.zeros((len(seen), self.team.info.state_shape), np.float32)


def _state_in_observations(team: Team) -> str:
    """Whether ``each`` agent observes the state, ``all`` together are it, or neither (empty)."""
    game, info = team.game, team.info
    try:
        views = game.view(np.zeros((1, info.state_shape), np.float32))
    except UserError:  # an environment of another package with a state of its own
        return ""
    if game.pure:
        return "each" if views.strides[1] == 0 else ""
    return "all"
