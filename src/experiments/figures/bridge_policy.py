"""What learned teams do on Bridge at its first state and one step later (data of the paper's Figure 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch as th
from numpy.typing import NDArray

from ...build import Team
from ...controllers.ar_controller import AutoregressiveMAC
from ...deploy.export import StudentTeam
from ...envs import Game
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
        team = _bridge_team(path)
        teacher = team.mac.imitated or team.mac
        if not isinstance(teacher, AutoregressiveMAC):
            raise UserError(f"{team.folder} was trained with mac={team.config['mac']}; Figure 5 shows autoregressive "
                            "teams (cpa_ar, ar_bc) and the students of cpa_pa.")
        self.team, self.game, self.ar = team, team.game, teacher
        if not (teacher.sees_present_alone and team.mac.sees_present_alone):
            raise UserError(f"the agents of {team.folder} remember; Figure 5 shows what teams do in a state, "
                            "whatever was before it.")
        with_students = path if students is None and team.mac.imitated is not None else students
        self.pa = None if with_students is None else StudentTeam(str(_bridge_team(with_students).folder))
        if self.pa is not None and self.pa.game.spec() != self.game.spec():
            raise UserError(f"{team.folder} and {self.pa.folder} were trained on different variants of bridge.")

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
        batch, place = self.team.empty_batch(), th.zeros(1, dtype=th.long)
        self.team.seen(state, batch)
        logits = self.ar.agent(self.ar.encode_at(batch, place, place).expand(n, -1, -1), each)  # [A, N, A]
        law = self.ar.conditional(th.from_numpy(self.game.available(state)).expand(n, -1, -1))
        first, second = law(0, logits[:, :1])[0, 0], law(1, logits[:, 1:])[:, 0]
        return Scene(self.game, state[0], last, first.double().numpy(), second.double().numpy(), self._entries(state))

    def _entries(self, state: IntArray) -> list[tuple[int, float, tuple[int, ...]]] | None:
        if self.pa is None:
            return None
        batch = self.pa.empty_batch()
        self.pa.seen(state, batch)
        place = th.zeros(1, dtype=th.long)
        law = self.pa.mac.joint_law(batch, place, place, 1)
        entries = [(j, float(p), tuple(actions)) for j, (p, actions) in
                   enumerate(zip(law.probs[0].tolist(), law.actions[0].tolist(), strict=True)) if p >= LIKELY]
        return sorted(entries, key=lambda entry: -entry[1])


def _bridge_team(path: str) -> Team:
    folder, manifest = checkpoint.find_whole(path, 0, "the model folder")
    env = manifest["config"].get("env")
    if env != "bridge":
        raise UserError(f"{folder} was trained on {env}; Figure 5 is drawn on bridge.")
    return Team(str(folder))
