"""One recorded episode, from any environment and any controller in EPyMARL's contract."""

from __future__ import annotations

import inspect
import random
from typing import Any, Protocol

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..errors import UserError

Arrays = dict[str, NDArray[Any]]


class Actor(Protocol):
    """A controller as recordings need it, ours or EPyMARL's."""

    def init_hidden(self, batch_size: int) -> None: ...

    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, *, test_mode: bool) -> Tensor: ...


class Player:
    """Plays episodes and notes what a data set holds of them.

    Args:
        env: in EPyMARL's contract; it ends an episode by ``terminated`` or ``truncated``, after
            ``episode_limit`` steps at the latest.
        batch: an empty batch of one episode, which is used again for every episode.
        scalarisation: ``sum`` or ``mean``, how individual rewards become the team's.
    """

    def __init__(self, env: Any, batch: EpisodeBatch, scalarisation: str) -> None:
        self.env, self.batch, self.scalarisation = env, batch, scalarisation
        self._seeded = "seed" in inspect.signature(env.reset).parameters

    @th.no_grad()
    def play(self, mac: Actor, epsilon: float, seeds: np.random.SeedSequence, number: int) -> Arrays:
        """One episode of L steps.

        Args:
            mac: the controller; it acts as in tests.
            epsilon: probability of a uniformly random available action, for each agent and step.
            seeds: decide everything random, as far as the environment can be seeded.
            number: of the episode, which agreement keys depend on.

        Returns:
            ``state`` ``[T + 1, S]`` and the other arrays of a data set without their episode axis; L + 1
            entries are filled, and ``terminated`` is set nowhere if the episode was cut off.
            ``agent_reward`` is there if the environment gives individual rewards.

        Raises:
            UserError: the environment gives one reward where every agent should have its own.
        """
        rng = self._begin(mac, seeds, number)
        env, batch = self.env, self.batch
        limit, agents = batch.max_seq_length - 1, batch["actions"].shape[2]
        reward, shares = np.zeros(limit + 1, np.float32), np.zeros((limit + 1, agents), np.float32)
        terminated, individual = np.zeros(limit + 1, np.bool_), False
        t, over = 0, False
        while True:
            masks = np.array(env.get_avail_actions(), dtype=np.bool_)
            if over:
                masks[~masks.any(1)] = True  # nothing is played here, but a masked softmax needs a choice
            batch.update({"state": [np.asarray(env.get_state(), np.float32)], "avail_actions": [masks],
                          "obs": [np.asarray(env.get_obs(), np.float32)]}, ts=t)
            if over:
                break
            chosen = mac.select_actions(batch, t_ep=t, t_env=0, test_mode=True)[0].cpu().numpy()
            chosen = np.where(rng.random(agents) < epsilon, (rng.random(masks.shape) * masks).argmax(1), chosen)
            batch.update({"actions": chosen[None, :, None]}, ts=t, mark_filled=False)
            _, gain, ended, truncated, info = env.step(chosen)
            if np.ndim(gain):
                shares[t], individual = gain, True
                reward[t] = np.mean(gain) if self.scalarisation == "mean" else np.sum(gain)
            elif "reward" in batch.scheme and batch["reward"].shape[-1] > 1:
                raise UserError("common_reward=False needs an environment with a reward for every agent; this one "
                                "gives a single one.")
            else:
                reward[t] = gain
            terminated[t] = ended and not info.get("episode_limit", False)
            t += 1
            over = bool(ended or truncated or t == limit)
        return {**self._noted(), "reward": reward, "terminated": terminated,
                **({"agent_reward": shares} if individual else {})}

    def _begin(self, mac: Actor, seeds: np.random.SeedSequence, number: int) -> np.random.Generator:
        """Starts an episode with its own seeds, wherever environment and controller draw from."""
        world, team, globally = (int(word) for word in seeds.generate_state(3))
        random.seed(globally)
        np.random.seed(globally)
        th.manual_seed(globally)
        if isinstance(mac, Controller):  # EPyMARL's draw from torch's global generator
            mac.seed_episode(team, number)
        for value in self.batch.data.transition_data.values():
            value.zero_()
        self.env.reset(**({"seed": world} if self._seeded else {}))
        mac.init_hidden(batch_size=1)
        return np.random.default_rng(seeds)

    def _noted(self) -> Arrays:
        data = {key: self.batch[key][0].cpu().numpy().copy() for key in ("state", "obs", "actions", "avail_actions",
                                                                         "filled")}
        filled = data["filled"][:, 0] > 0
        masks = data["avail_actions"] > 0
        masks[~filled] = True
        return {"state": data["state"], "obs": data["obs"], "actions": data["actions"][..., 0], "filled": filled,
                "avail_actions": masks}
