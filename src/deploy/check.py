"""Exported agents beside the controller: joint action by joint action, logit by logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ..agreement.key import AgreementKey, pick
from ..build import build_mac
from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch
from ..controllers import Controller
from ..controllers.ar_controller import AutoregressiveMAC
from ..controllers.independent_controller import BasicMAC, IndependentMAC
from ..controllers.product_controller import ProductMAC
from ..controllers.student_controller import StudentMAC
from ..envs.game import Game, IntArray
from .heads import LEAST
from .teams import LeavingTeam

CLOSE = 1e-4  # of the largest logit, at least of 1: how far rounding may bring logits apart; 1e-7 is usual


class Acts(Protocol):
    """An agent on its own."""

    meta: dict[str, Any]
    logits: NDArray[np.float32]

    def agree(self, seed: int) -> str: ...

    def act(self, seen: NDArray[Any], available: NDArray[Any] | None = None, episode: int = 0, step: int = 0,
            before: Sequence[int] = ()) -> int: ...


class Beside:
    """The controller of the training process, asked what exported agents are asked.

    A controller whose agents draw their actions each by itself draws them from PyTorch's generator, which nobody else
    has; here it draws them by the key of the seed, as exported agents do, from the probabilities that are its own.

    Args:
        team: from a checkpoint.
        seed: that the agents share.
    """

    def __init__(self, team: LeavingTeam, seed: int) -> None:
        self.team = team
        self.mac: Controller = team.mac
        if isinstance(team.mac, AutoregressiveMAC) and team.draws:
            self.mac = build_mac({**team.config, "shared_seed": True}, team.info)
            self.mac.load_state(team.mac)
        self.mac.seed_with(seed)
        self._key = AgreementKey(seed)
        self._episode = -1
        self.batch = team.empty_batch()
        self.logits = np.zeros((team.game.n_agents, team.game.n_actions), dtype=np.float32)

    @th.no_grad()
    def actions(self, state: IntArray, step: int) -> list[int]:
        """Its joint action in a state ``[1, K]``; an episode begins at step 0."""
        if step == 0:
            self.mac.init_hidden(1)
            self._episode += 1
        self.team.seen(state, self.batch, step)
        remembered = self.mac.hidden_states
        actions = self.mac.select_actions(self.batch, step, 0, test_mode=True)
        after, self.mac.hidden_states = self.mac.hidden_states, remembered
        inputs = self.mac.observe(self.batch, step)
        self.mac.hidden_states = after
        if isinstance(self.mac, BasicMAC) and self.team.draws:
            values = self.mac.values(inputs, self.batch["avail_actions"][:, step].bool())
            key = self._key.draw([self._episode], step, self.team.game.n_agents)
            actions = th.from_numpy(pick(values[0].softmax(-1).double().numpy(), key[0]))[None]
        self.logits = _logits(self.mac, inputs, actions, self.batch, step).numpy()
        return [int(action) for action in actions[0]]

    def played(self, actions: list[int], step: int) -> None:
        """What was really played at the step, which agents may see at the next."""
        self.batch.update({"actions": np.array(actions)[None, :, None]}, ts=step)


def _logits(mac: Controller, inputs: Tensor, actions: Tensor, batch: EpisodeBatch, step: int) -> Tensor:
    """What the controller chose by, ``[N, A]``, from features ``[1, G, F]`` and its joint action ``[1, N]``.

    What it did not choose from is at the lowest there is.
    """
    if isinstance(mac, StudentMAC):
        keyed = not (mac.args.test_greedy or isinstance(mac, ProductMAC))
        key = mac.keys.draw(batch, slice(None), step, mac.key_length, True) if keyed else None
        return masked_logits(mac.agent.logits(inputs, key), mac.allowed(batch, step, slice(None)))[0]
    if isinstance(mac, IndependentMAC):
        return mac.values(inputs, batch["avail_actions"][:, step].bool())[0]
    return masked_logits(mac.agent(inputs, actions), batch["avail_actions"][:, step])[0]


@dataclass
class Compared:
    """How exported agents and the controller compare.

    Attributes:
        steps: joint actions compared.
        agreed: of these, the same.
        apart: largest difference of logits, as a share of the largest logit or of 1; endless where an action is
            forbidden to one and not to the other.
        episodes: begun.
        distinct: different joint actions.
        where: episode and step of the first that was not the same, and both.
    """

    steps: int = 0
    agreed: int = 0
    apart: float = 0.0
    episodes: int = 0
    distinct: set[tuple[int, ...]] = field(default_factory=set)
    where: str = ""

    @property
    def whole(self) -> bool:
        """Whether all is the same, but for rounding."""
        return self.agreed == self.steps and self.apart <= CLOSE

    def note(self, chosen: list[int], right: list[int], logits: NDArray[np.float32], theirs: NDArray[np.float32],
             place: str) -> None:
        """Counts a joint action and logits ``[N, A]`` beside the controller's."""
        self.steps += 1
        self.distinct.add(tuple(right))
        if chosen == right:
            self.agreed += 1
            forbidden = theirs == LEAST
            off = np.where(forbidden, 0.0, np.abs(logits.astype(np.float64) - theirs)).max()
            size = np.abs(theirs, where=~forbidden, out=np.zeros_like(theirs)).max()
            same = np.array_equal(forbidden, logits == LEAST)
            self.apart = max(self.apart, float(off / max(1.0, size)) if same else np.inf)
        elif not self.where:
            self.where = f"{place}: {chosen}, the controller {right}"


def compare(team: LeavingTeam, agents: Mapping[str, Sequence[Acts]], steps: int, seed: int = 0) -> dict[str, Compared]:
    """Lets the controller play, and asks the agents of each format what they would do.

    Args:
        team: whose controller plays.
        agents: all of a team, by the format that they were exported in.
        steps: this many joint actions, of as many episodes as it takes.
        seed: shared, and of the game.

    Returns:
        By format.
    """
    game, beside, rng = team.game, Beside(team, seed), np.random.default_rng(seed)
    found = {name: Compared() for name in agents}
    for own in agents.values():
        for agent in own:
            agent.agree(seed)
    done, state, step, episode, sees_obs = True, np.zeros((0, 0), np.int64), 0, -1, team.config["policy_input"] == "obs"
    for _ in range(steps):
        if done:
            state, step, episode = game.initial(1, rng), 0, episode + 1
        right, seen, available = beside.actions(state, step), seen_in(game, state, sees_obs), game.available(state)[0]
        for name, own in agents.items():
            chosen = joint(own, seen, available, episode, step)
            found[name].note(chosen, right, np.stack([agent.logits for agent in own]), beside.logits,
                             f"step {step} of episode {episode}")
            found[name].episodes = episode + 1
        beside.played(right, step)
        after = game.transition(state, np.array([right]), rng)
        state, done, step = after.state, bool(after.done[0]), step + 1
    return found


def seen_in(game: Game, state: IntArray, sees_obs: bool) -> Sequence[NDArray[Any]]:
    """What each agent sees in a state ``[1, K]``: its observation, or the state."""
    return list(game.observe(state)[0]) if sees_obs else [game.global_state(state)[0]] * game.n_agents


def joint(agents: Sequence[Acts], seen: Sequence[NDArray[Any]], available: NDArray[Any], episode: int, step: int,
          ) -> list[int]:
    """The joint action of agents that are asked one after the other, each told what those before it do."""
    chosen: list[int] = []
    for i, agent in enumerate(agents):
        chosen.append(agent.act(seen[i], available[i], episode, step, chosen))
    return chosen
