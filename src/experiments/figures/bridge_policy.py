"""What learned teams do on Bridge at its first state and one step later (data of the paper's Figure 5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray

from ...components.episode_buffer import EpisodeBatch
from ...controllers.ar_controller import AutoregressiveMAC
from ...deploy.export import Team
from ...envs import Game, make_game
from ...envs.game import IntArray
from ...envs.picture import Last
from ...errors import UserError
from ...utils import checkpoint

LIKELY = 0.01  # what is rarer is not shown


@dataclass(frozen=True)
class Scene:
    """A state and what the teams do there.

    Attributes:
        game: the rules.
        state: ``[K]``.
        last: the state before it and the joint action that led here; None at the start.
        first: the autoregressive agent 1's probabilities ``[A]``.
        second: agent 2's after each action of agent 1, ``[A, A]``.
        entries: of the policy agreement, likeliest first: number of the entry, its probability and its joint action;
            None without students.
    """

    game: Game
    state: IntArray
    last: Last | None
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    entries: list[tuple[int, float, tuple[int, ...]]] | None


class BridgeTeams:
    """The autoregressive team of a checkpoint and, from ``cpa_pa``, its students.

    Args:
        path: a run's model folder, or one checkpoint in it.
        students: another such place to take the students from, by default the same.

    Raises:
        UserError: there is no whole checkpoint, it is of another game, or holds no such team.
    """

    def __init__(self, path: str, students: str | None = None) -> None:
        folder, config = _bridge_model(path)
        self.pa = None
        if config["mac"] == "pa_mac":
            team = Team(str(folder))
            self.game, self.ar = team.game, team.mac.teacher
            self.pa = team
        elif config["mac"] == "ar_mac":
            self.game, self.ar = _game(config), _autoregressive(config, folder)
        else:
            raise UserError(f"{folder} was trained with mac={config['mac']}; Figure 5 shows autoregressive teams "
                            "(cpa_ar, ar_bc) and the students of cpa_pa.")
        if students is not None:
            other, config = _bridge_model(students)
            self.pa = Team(str(other))
            if self.pa.game.spec() != self.game.spec():
                raise UserError(f"{folder} and {other} were trained on different variants of bridge.")

    def scenes(self) -> list[Scene]:
        """The first state, and the one after the team's likeliest joint action there."""
        state = self.game.initial(1, np.random.default_rng(0))
        start = self._scene(state, None)
        best = np.unravel_index((start.first[:, None] * start.second).argmax(), start.second.shape)
        actions = np.array([best])
        after = self.game.transition(state, actions, np.random.default_rng(0)).state
        return [start, self._scene(after, (state[0], actions[0]))]

    @th.no_grad()
    def _scene(self, state: IntArray, last: Last | None) -> Scene:
        n = self.game.n_actions
        each = th.stack([th.arange(n), th.zeros(n, dtype=th.long)], 1)  # agent 1 does each of its actions
        seen = th.from_numpy(self.game.global_state(state))
        logits = self.ar.agent(self.ar.encoder(seen).expand(n, -1), each)  # [A, N, A]
        law = self.ar.conditional(th.from_numpy(self.game.available(state)).expand(n, -1, -1))
        first, second = law(0, logits[:, :1])[0, 0], law(1, logits[:, 1:])[:, 0]
        return Scene(self.game, state[0], last, first.double().numpy(), second.double().numpy(), self._entries(state))

    def _entries(self, state: IntArray) -> list[tuple[int, float, tuple[int, ...]]] | None:
        if self.pa is None:
            return None
        batch: EpisodeBatch = self.pa.empty_batch()
        batch.update({"state": self.game.global_state(state), "obs": self.game.observe(state),
                      "avail_actions": self.game.available(state)}, ts=0)
        place = th.zeros(1, dtype=th.long)
        law = self.pa.mac.joint_law(batch, place, place, 1)
        entries = [(j, float(p), tuple(actions)) for j, (p, actions) in
                   enumerate(zip(law.probs[0].tolist(), law.actions[0].tolist(), strict=True)) if p >= LIKELY]
        return sorted(entries, key=lambda entry: -entry[1])


def _bridge_model(path: str) -> tuple[Path, dict[str, Any]]:
    folder = checkpoint.find(path, 0, "the model folder")
    config: dict[str, Any] = checkpoint.read_manifest(folder)["config"]
    if config.get("env") != "bridge":
        raise UserError(f"{folder} was trained on {config.get('env')}; Figure 5 is drawn on bridge.")
    return folder, config


def _game(config: dict[str, Any]) -> Game:
    return make_game(config["env"], **{key: value for key, value in config["env_args"].items()
                                       if key not in ("map_name", "seed")})


def _autoregressive(config: dict[str, Any], folder: Path) -> AutoregressiveMAC:
    game = _game(config)
    args = SimpleNamespace(**config, n_agents=game.n_agents, n_actions=game.n_actions)
    mac = AutoregressiveMAC({"state": {"vshape": game.state_dim}}, {"agents": game.n_agents}, args)
    checkpoint.load_into(mac, folder)
    return mac
