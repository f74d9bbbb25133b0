"""Exported agents (:mod:`..deploy`) as a team that can be shown: each plays by its own file, by what it sees itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch as th
from torch import Tensor

from ..agreement.key import AgreementKey
from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..deploy.demo import game_of, team_in
from ..deploy.policy import Policy, PolicyError
from ..deploy.policy_file import kind_of
from ..envs import ours, own_args
from ..errors import UserError
from ..utils.files import named_path
from .agreed import Agreed


def is_exported(path: str) -> bool:
    """Whether a folder holds files of exported agents."""
    try:
        return any(named_path(path).glob("agent_*.npz"))
    except (OSError, ValueError):  # a name that no folder can have
        return False


class Policies:
    """The agents in the words of a controller, as far as evaluation asks.

    Args:
        agents: one policy each.
        seed: that they share.
    """

    def __init__(self, agents: Sequence[Policy], seed: int) -> None:
        self._agents, self._seed = agents, seed
        self._rows: list[list[Policy]] = []

    def seed_tests(self) -> None:
        """Nothing but the key is drawn, and that is counted from episode 0 anyway."""

    def seed_with(self, seed: int) -> None:
        """Takes another shared seed, from the next episode on."""
        self._seed = seed

    def init_hidden(self, batch_size: int) -> None:
        """Begins so many episodes, each with agents that remember nothing of the others."""
        self._rows = [copy.deepcopy([*self._agents]) for _ in range(batch_size)]
        for row in self._rows:
            for agent in row:
                agent.agree(self._seed)

    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Any = slice(None),
                       test_mode: bool = False) -> Tensor:
        """Actions ``[len(bs), N]`` at time ``t_ep`` of the episodes ``bs``.

        Raises:
            UserError: what is seen does not fit the agents.
        """
        chosen = []
        for row in np.arange(len(self._rows))[bs].tolist():
            seen = {"state": ep_batch["state"][row, t_ep], "obs": ep_batch["obs"][row, t_ep]}
            masks = ep_batch["avail_actions"][row, t_ep].numpy()
            actions: list[int] = []
            try:
                for i, agent in enumerate(self._rows[row]):
                    own = seen["obs"][i] if agent.meta["input"] == "obs" else seen["state"]
                    actions.append(agent.act(own.numpy(), masks[i], row, t_ep, actions))
            except PolicyError as error:
                raise UserError(str(error)) from None
            chosen.append(actions)
        return th.tensor(chosen)

    def keys(self, t: int, rows: Tensor) -> list[float]:
        """The first number of the agreement key, for each of the episodes ``rows``."""
        meta = self._agents[0].meta
        drawn = AgreementKey(self._seed, meta["key_per"]).draw(rows.tolist(), t, meta["key_numbers"])
        return [float(key) for key in drawn[:, 0]]


class ExportedTeam:
    """All agents of a folder and their game; what :class:`.team.ShownTeam` is for checkpoints.

    Args:
        path: the folder.
        seed: of the game, and the one that the agents share; None for 0.
        env_args: arguments of the game that differ from those of the training.

    Raises:
        UserError: files are missing or damaged, belong to different teams, or do not fit the game.
    """

    t_env = 0

    def __init__(self, path: str, seed: int | None = None, env_args: Mapping[str, Any] | None = None) -> None:
        self.folder = named_path(path)
        files, meta = team_in(self.folder)
        if meta["env"] not in ours():
            raise UserError(f"the agents in {self.folder} play an environment of another package; render the model "
                            "folder that they were exported from.")
        changed = {**meta["env_args"], **(env_args or {})}
        self.game = game_of({**meta, "env_args": changed})
        self.info, self.seed = EnvInfo.of(self.game), seed or 0
        self.mac = Policies([Policy.load(file) for file in files], self.seed)
        kind, draws = kind_of(meta), bool(meta.get("draws"))
        self.greedy, self.in_order = not draws and bool(meta.get("greedy", True)), kind == "chain"
        self.shares_key = kind == "chain" if draws else kind in ("students", "conventions")
        label = self.game.label(own_args(changed))
        self.title = f"{len(files)} exported agents on {label}"

    def agreed(self, batch: EpisodeBatch, t: int, rows: Tensor) -> list[Agreed | None]:
        """The keys; what an agent makes of one is its own affair."""
        if self.greedy or not self.shares_key:
            return [None] * len(rows)
        return [Agreed("key", key, -1, 0, 1.0) for key in self.mac.keys(t, rows)]
