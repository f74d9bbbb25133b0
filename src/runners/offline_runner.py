"""The offline runner: hands out recorded episodes instead of playing, and evaluates by playing."""

from __future__ import annotations

from functools import cached_property
from logging import Logger
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch as th
from torch import Tensor

from ..components.drawn import DrawnBatch
from ..components.episode_buffer import EpisodeBatch
from ..components.on_demand import OnDemand
from ..components.transforms import OneHot
from ..components.transitions import NO_NEXT, played_steps
from ..conventions.experience import EpisodeSource, team_reward
from ..data import OfflineDataset, load_dataset
from ..data.arrays import EpisodeArrays
from ..data.ends import LimitTold, known, limit_told
from ..data.fitting import ends_at_horizon, remarks
from ..data.generate import cache_file, recipe_digest
from ..data.mapped import MappedDataset
from ..envs.multi_agent_env import MultiAgentEnv
from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from ..settings import Settings
from ..utils.files import named_path
from . import REGISTRY
from .base import Runner

FEW = 200  # episodes that tell whether states tell the time
MANY = 1000  # episodes that tell how large rewards are
AT_ONCE = 2**26  # bytes of episodes that are looked at together


@REGISTRY.register("offline")
class OfflineRunner(Runner):
    """Draws ``batch_size`` episodes per call, every episode once before any comes again.

    Attributes:
        t_env: number of batches handed out, i.e. of updates.
        dataset: the recorded episodes; a run that only evaluates does not need them.

    Raises:
        UserError: the data set is missing, damaged, or of another game.
    """

    learns_offline = True

    def __init__(self, args: Settings, env: MultiAgentEnv, console: Logger, device: str = "cpu") -> None:
        super().__init__(args, env, console, device)
        self._generator = th.Generator().manual_seed(args.seed)
        self._order = th.empty(0, dtype=th.long)
        if not args.evaluate:
            console.info("data: %s, %d episodes, mean return %.4f, digest %s", self.dataset.source,
                         self.dataset.n_episodes, self.dataset.returns.mean(), self.dataset.digest[:12])
            if not self._useful.any():
                raise UserError(f"{self.dataset.source} has no step whose outcome is known, and {args.name} learns "
                                "from no other; check 'filled' and 'terminated' of the data, or take a method that "
                                "imitates (bc, ar_bc).")
            if args.state_levels:
                self._check_all_levels()

    @cached_property
    def dataset(self) -> OfflineDataset:
        args = self.args
        data = load_dataset(args.dataset, self.game, args.recipes, args.seed, named_path(args.datasets_path))
        for remark in remarks(data, self.game):
            self.console.warning(remark)
        return data

    @cached_property
    def _useful(self) -> Tensor:
        """Which episodes hold a step that the learner learns from, bool ``[E]``."""
        data, steps = self.dataset, self.dataset.steps
        if data.no_next is not None and LEARNERS[self.args.learner].outcomes:
            steps = steps & (~data.no_next | ends_at_horizon(data, self.game))
        return th.from_numpy(steps.any(1))

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return self._columns(self.dataset)

    def _columns(self, data: EpisodeArrays) -> dict[str, Tensor]:
        """Recorded episodes as a batch holds them, but for what follows from the rest."""
        game = self.game
        arrays: dict[str, Any] = {
            "state": data.state, "actions": data.actions[..., None], "avail_actions": data.avail_actions,
            "reward": data.reward[..., None], "terminated": data.terminated[..., None],
            "filled": data.filled[..., None]}
        if data.no_next is not None:  # what follows a step matters, except beyond the horizon
            ended = ends_at_horizon(data, game)
            cut = data.no_next & ~ended
            arrays["terminated"] = (data.terminated | ended)[..., None]
            filled = np.where(cut, NO_NEXT, data.filled)
            filled[:, 1:][cut[:, :-1]] = 0
            arrays["filled"] = filled[..., None]
        if data.obs is not None and data.obs.shape[-1] == game.obs_dim:
            arrays["obs"] = data.obs
        if not self.args.common_reward:
            share = 1 / game.n_agents if self.args.reward_scalarisation == "sum" else 1.0
            shares = (data.reward * share)[..., None].repeat(game.n_agents, -1)
            arrays["reward"] = shares if data.agent_reward is None else data.agent_reward
        return {key: th.from_numpy(value) for key, value in arrays.items()}

    @property
    def recorded(self) -> EpisodeSource | None:
        return None if self.args.evaluate else self

    @property
    def place(self) -> str:
        args = self.args
        if args.evaluate or args.dataset not in args.recipes:
            return "" if args.evaluate else args.dataset
        folder = named_path(args.datasets_path)
        return str(cache_file(self.game, args.recipes[args.dataset], args.seed, args.dataset, folder))

    @property
    def on_disk(self) -> bool:
        """Whether the data are too large for the memory, so that episodes are read when they are drawn."""
        return isinstance(self.dataset, MappedDataset)

    @property
    def n_episodes(self) -> int:
        """Number of recorded episodes."""
        return self.dataset.n_episodes

    @property
    def limit_is_end(self) -> bool:
        """Whether the episode limit is to be taken for the game's own end."""
        return self.limit_told.is_end

    @cached_property
    def limit_told(self) -> LimitTold:
        """What the data tell of the episode limit (:func:`.limit_told`); told to whoever reads the console, too."""
        # From everywhere: data are often put together, one team's episodes after the other's.
        few = self.dataset.take(np.linspace(0, self.n_episodes - 1, min(self.n_episodes, FEW)).astype(np.int64), ())
        seen = known(few.state, few.avail_actions, few.filled, few.terminated)
        told = limit_told(self.dataset.column("terminated", slice(None)), few.state, seen, self.game.episode_limit)
        self.console.info("the episode limit %s: %s", "ends the game" if told.is_end else
                          "only cuts episodes off, so that values are those of any time", told.reason)
        return told

    @cached_property
    def typical_reward(self) -> float:
        """The root of the mean square of the team's rewards, in up to :data:`MANY` episodes from everywhere.

        They are as training takes them, but for ``reward_scale``; nothing but what tells them is read.
        """
        args, data = self.args, self.dataset
        rows = th.linspace(0, self.n_episodes - 1, min(self.n_episodes, MANY), dtype=th.float64).long().numpy()
        read = ("reward", "terminated", "filled", "no_next", *(() if args.common_reward else ("agent_reward",)))
        told: dict[str, Any] = {key: data.column(key, slice(None))[rows] for key in read if data.shape(key) is not None}
        size = told["filled"].shape
        columns = self._columns(EpisodeArrays(
            **told, state=np.zeros((*size, 0), np.float32), actions=np.zeros((*size, 0), np.int64),
            avail_actions=np.zeros((*size, 0, 0), np.bool_), behaviour=np.zeros(len(rows), np.int64), meta=data.meta))
        reward = team_reward(columns, args.reward_scalarisation == "sum")[:, :-1][played_steps(columns)].double()
        if args.reward_min is not None:
            reward = reward.clamp(min=args.reward_min)
        return float(reward.square().mean().sqrt()) if len(reward) else 0.0

    def run(self) -> EpisodeBatch:
        """The next batch of recorded episodes ``[batch_size, T + 1, ...]``, cut to the longest of them."""
        self.t_env += 1
        return DrawnBatch(self.episodes, self.next_rows())

    def next_rows(self) -> Tensor:
        """The numbers of the episodes of the next batch, ``[batch_size]``, in which there is something to learn from.
        """
        rows = self._drawn_rows()
        while not self._useful[rows].any():
            rows = self._drawn_rows()
        return rows

    def _drawn_rows(self) -> Tensor:
        while len(self._order) < self.args.batch_size:  # small data sets: several rounds in one batch
            fresh = th.randperm(self.dataset.n_episodes, generator=self._generator)
            self._order = th.cat([self._order, fresh])
        rows, self._order = self._order[: self.args.batch_size], self._order[self.args.batch_size:]
        return rows

    def _check_all_levels(self) -> None:
        at_once = max(1, AT_ONCE // self.dataset.episode_bytes) if self.on_disk else self.n_episodes
        for start in range(0, self.n_episodes, at_once):
            rows = th.arange(start, min(start + at_once, self.n_episodes))
            self.check_levels(self.episodes(rows), self.dataset.source, start)

    def _drawn(self, rows: Tensor, length: int) -> dict[str, Tensor]:
        """Episodes of data that stay on the disk: nothing but them is read, and of them only what somebody asks for."""
        read = [key for key, needed in (("obs", self.args.policy_input == "obs"),
                                        ("agent_reward", not self.args.common_reward)) if needed]
        data = self._columns(self.dataset.take(rows.numpy(), read, length))
        return {key: value.to(self.device) for key, value in data.items()}

    def _seen(self, rows: Tensor, length: int, state: Tensor) -> Tensor:
        """What the agents saw in some episodes; read, or computed, by itself."""
        shape = self.dataset.shape("obs")
        found = None if shape is None or shape[-1] != self.game.obs_dim else \
            self.dataset.take(rows.numpy(), ("obs",), length).obs
        return self._view(state) if found is None else th.from_numpy(found).to(self.device)

    def episodes(self, rows: Tensor) -> EpisodeBatch:
        """The recorded episodes ``rows`` ``[B]`` as a batch, cut to the longest of them."""
        length = int(self.dataset.filled[rows.numpy()].sum(1).max())
        data: dict[str, Tensor]
        if self.on_disk:
            drawn = self._drawn(rows, length)
            data = OnDemand(drawn, {"obs": lambda: self._seen(rows, length, drawn["state"])})
        else:
            data = {key: value[rows, :length].to(self.device) for key, value in self._tensors.items()}
            if "obs" not in data:
                data["obs"] = self._view(data["state"])
        data["actions_onehot"] = OneHot(self.info.n_actions).transform(data["actions"])
        # "filled" is 0/1 in EPyMARL, and booleans do not subtract
        data["filled"], data["terminated"] = data["filled"].long(), data["terminated"].to(th.uint8)
        data["avail_actions"] = data["avail_actions"].int()
        batch = EpisodeBatch(self.info.scheme, self.info.groups, len(rows), length,
                             SimpleNamespace(transition_data=data, episode_data={}), self.info.preprocess, self.device)
        batch.place = rows
        return batch

    @cached_property
    def _all_see_all(self) -> bool:
        """Whether every agent sees the state, which games tell by one and the same array for all."""
        return self.game.view(self.dataset.column("state", slice(1))[:, 0]).strides[1] == 0

    def _view(self, state: Tensor) -> Tensor:
        """What the agents see, ``[B, T, N, O]``, in the states ``[B, T, S]``.

        Raises:
            UserError: it does not follow from the state, and the data do not hold it.
        """
        if self._all_see_all:  # a view, not N copies
            return state[:, :, None].expand(-1, -1, self.game.n_agents, -1)
        seen = self.game.view(state.flatten(0, 1).cpu().numpy())
        return th.from_numpy(np.ascontiguousarray(seen)).to(state).view(*state.shape[:2], *seen.shape[1:])

    def made_from(self) -> dict[str, str]:
        args = self.args
        if args.evaluate:
            return {}
        recipe = args.recipes.get(args.dataset)
        made = {} if recipe is None else {"recipe": recipe_digest(self.game, recipe, args.seed, args.dataset)}
        return {"data": self.dataset.digest[:12], **made}

    def facts(self) -> dict[str, Any]:
        told = self.__dict__.get("limit_told")  # of a learner that wanted to know
        return {"dataset": {"source": self.dataset.source, "digest": self.dataset.digest},
                **({} if told is None else {"limit": told._asdict()})}

    def state_dict(self) -> dict[str, Any]:
        """Counter, sampler, and the digest of the data that it samples."""
        return {"t_env": self.t_env, "digest": self.dataset.digest, "order": self._order.clone(),
                "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up a state; on other data than before the sampler starts afresh.

        Raises:
            TypeError, ValueError: the order of the episodes is none.
        """
        self.t_env = state["t_env"]
        if self.args.evaluate:
            return
        if state["digest"] != self.dataset.digest:
            self.console.warning("the checkpoint was trained on other data (digest %s)", state["digest"][:12])
            return
        order = state["order"]
        if not isinstance(order, Tensor) or order.dtype != th.long or order.dim() != 1:
            raise TypeError("'order' is no list of episodes")
        if len(order) and not 0 <= int(order.min()) <= int(order.max()) < self.n_episodes:
            raise ValueError(f"'order' has other episodes than the {self.n_episodes} that there are")
        self._order = order
        self._generator.set_state(state["generator"])
