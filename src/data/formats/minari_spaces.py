"""What the spaces of a Minari data set mean for a team; see :mod:`.minari` for the convention."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ...errors import UserError
from ..dataset import OfflineDataset

Array = NDArray[Any]


def joint_spaces(data: OfflineDataset) -> tuple[spaces.Dict, spaces.MultiDiscrete]:
    """Spaces of the joint observation and action of a data set."""
    agents, actions = data.avail_actions.shape[2:]
    parts: dict[str, spaces.Space[Any]] = {
        "state": spaces.Box(-np.inf, np.inf, (data.state.shape[2],), np.float32),
        "action_mask": spaces.Box(0, 1, (agents, actions), np.int8)}
    if data.obs is not None:
        parts["obs"] = spaces.Box(-np.inf, np.inf, (agents, data.obs.shape[3]), np.float32)
    return spaces.Dict(parts), spaces.MultiDiscrete([actions] * agents)


class Spaces(NamedTuple):
    """Sizes, and where in an observation the parts are.

    Attributes:
        source: the folder, for messages.
        n_actions: choices of each agent ``[N]``; A is the largest of them.
        state_dim, obs_dim: S and O; O is 0 where there are no observations beside the state.
        plain: whether an observation is the state itself, not a dictionary.
        has_state, has_mask: whether the dictionary has them; the state is else that of all agents' ``obs``.
    """

    source: str
    n_actions: NDArray[np.int64]
    state_dim: int
    obs_dim: int
    plain: bool
    has_state: bool
    has_mask: bool

    @classmethod
    def of(cls, observation: Any, action: Any, path: Path) -> Spaces:
        """Reads them off a data set.

        Raises:
            UserError: they do not follow the convention.
        """
        if isinstance(action, spaces.Discrete) and action.start == 0:
            choices = np.array([action.n], dtype=np.int64)
        elif isinstance(action, spaces.MultiDiscrete) and action.nvec.ndim == 1 and not action.start.any():
            choices = action.nvec.astype(np.int64)
        else:
            raise UserError(f"{path}: key 'action_space': a team's action must be MultiDiscrete, one number from 0 on "
                            f"for each agent, not {action}.")
        plain = isinstance(observation, spaces.Box)
        parts = {"state": observation} if plain else dict(getattr(observation, "spaces", {}))
        parts = {key: part for key, part in parts.items() if key in ("state", "obs", "action_mask")}
        sizes = {"state": (1, ()), "obs": (2, (len(choices),)), "action_mask": (2, (len(choices), choices.max()))}
        for key, part in parts.items():
            axes, lead = sizes[key]
            if part.shape is None or len(part.shape) != axes or part.shape[: len(lead)] != lead:
                raise UserError(f"{path}: key 'observation_space', '{key}': the shape {part.shape} does not fit "
                                f"{len(choices)} agents and {choices.max()} actions.")
        if not {"state", "obs"} & set(parts):
            raise UserError(f"{path}: key 'observation_space': an observation must be a vector, or a dictionary with "
                            f"'state' or 'obs', not {observation}.")
        obs_dim = parts["obs"].shape[1] if "obs" in parts else 0
        state_dim = parts["state"].shape[0] if "state" in parts else len(choices) * obs_dim
        return cls(str(path), choices, state_dim, obs_dim, plain, "state" in parts, "action_mask" in parts)

    @property
    def has_obs(self) -> bool:
        return self.obs_dim > 0

    @property
    def step_bytes(self) -> int:
        """Size of one step in memory."""
        agents, actions = len(self.n_actions), int(self.n_actions.max())
        return 4 * self.state_dim + agents * (12 + actions + 4 * self.obs_dim)

    def empty(self, lead: tuple[int, int]) -> dict[str, Array]:
        """Padding of shape ``[E, T + 1, ...]``."""
        agents, actions = len(self.n_actions), int(self.n_actions.max())
        return {"state": np.zeros((*lead, self.state_dim), np.float32), "actions": np.zeros((*lead, agents), np.int64),
                "avail_actions": np.ones((*lead, agents, actions), np.bool_),
                "obs": np.zeros((*lead, agents, self.obs_dim), np.float32),
                "agent_reward": np.zeros((*lead, agents), np.float32)}

    def decode(self, episode: dict[str, Any], steps: int, individual: bool) -> dict[str, Array]:
        """Arrays of one episode: ``steps + 1`` observations, ``steps`` of the others.

        Args:
            episode: as Minari's storage yields it.
            steps: their number.
            individual: whether to take individual rewards from the infos.

        Raises:
            UserError: the observations do not fit the rewards, or actions are no whole numbers.
        """
        seen = {"state": episode["observations"]} if self.plain else episode["observations"]
        arrays: dict[str, Array] = {"actions": np.asarray(episode["actions"]).reshape(steps, len(self.n_actions)),
                                    "reward": np.asarray(episode["rewards"]),
                                    "terminated": np.asarray(episode["terminations"])}
        if arrays["actions"].dtype.kind not in "iu":
            raise UserError(f"{self.source}: key 'actions' must hold whole numbers, not {arrays['actions'].dtype}.")
        if self.has_obs:
            arrays["obs"] = np.asarray(seen["obs"])
        arrays["state"] = np.asarray(seen["state"]) if self.has_state else arrays["obs"].reshape(steps + 1, -1)
        possible = np.arange(self.n_actions.max()) < self.n_actions[:, None]  # [N, A]
        mask = np.asarray(seen["action_mask"]) if self.has_mask else np.ones((steps + 1, *possible.shape), np.int8)
        arrays["avail_actions"] = mask.astype(np.bool_) & possible
        for key in ("state", "avail_actions"):
            if len(arrays[key]) != steps + 1:
                raise UserError(f"{self.source}: an episode has {steps} rewards, but {len(arrays[key])} observations.")
        if individual:
            arrays["agent_reward"] = np.asarray(episode["infos"]["agent_reward"])
        return arrays
