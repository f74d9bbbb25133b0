"""What the runners share: the environment, its batches, and evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from logging import Logger
from typing import Any, ClassVar

import numpy as np

from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..components.levels import check_seen
from ..controllers.base import Controller
from ..conventions.experience import EpisodeSource
from ..envs.game import Game
from ..envs.multi_agent_env import MultiAgentEnv
from ..errors import UserError, one_line
from ..evaluation.diversity import diversity
from ..evaluation.exact import can_be_exact, exact_return
from ..evaluation.play import EXACT, RewardShares, Show, Values, evaluate, evaluation_stats
from ..settings import Settings
from ..utils.progress import counting


class Runner(ABC):
    """A runner in the manner of EPyMARL's.

    Args:
        args: settings.
        env: the environment.
        console: takes words.
        device: where batches live.

    Attributes:
        learns_offline: whether a batch from :meth:`run` is trained on as it is (else it goes
            through a replay buffer).
        keeps: keys that say how many episodes it holds in memory.
        info: sizes of the environment.
        game: its rules.
        t_env: the run's clock.
        latest: the episodes of the last evaluation.
    """

    args: Settings
    learns_offline: ClassVar[bool]
    keeps: ClassVar[Sequence[str]] = ("test_nepisode",)

    def __init__(self, args: Settings, env: MultiAgentEnv, console: Logger, device: str = "cpu") -> None:
        self.args, self.env, self.console, self.device = args, env, console, device
        self.game: Game = env.game
        self.info = EnvInfo.of(env.game, args.common_reward)
        self.shares = RewardShares(self.info.n_agents, args.common_reward, args.reward_scalarisation)
        self.t_env = 0
        self._told = False  # that no exact return can be computed

    @cached_property
    def optimum(self) -> float | None:
        """The best possible expected return, None where nobody knows it; some games need a second to find it.

        Raises:
            UserError: it would take more memory than there is.
        """
        try:
            with counting(f"finding the optimum of {self.game.name}", unit=""):
                return self.game.optimum()
        except (MemoryError, ValueError, OverflowError) as error:  # NumPy's words for an array that is far too large
            raise UserError(f"the optimum of {self.game.name} cannot be computed with these env_args "
                            f"({one_line(error)}); choose smaller ones.") from None

    def use(self, mac: Controller) -> None:
        """Takes the controller that plays."""
        self.mac = mac

    @property
    def recorded(self) -> EpisodeSource | None:
        """All recorded episodes, if batches are drawn from such."""
        return None

    @property
    def place(self) -> str:
        """The file or folder of the recorded episodes; empty if there is none."""
        return ""

    def record(self) -> dict[str, Any] | None:
        """Records instead of training, where that is what the runner is for; returns what was recorded, else None.

        Raises:
            UserError: a checkpoint does not fit, or the disk is full.
            KeyboardInterrupt: SIGINT or SIGTERM came; what was played is on the disk.
        """
        return None

    @abstractmethod
    def run(self) -> EpisodeBatch:
        """The next training batch."""

    def take_statistics(self) -> Mapping[str, float]:
        """Statistics of training that are due, each given once; by default none."""
        return {}

    def evaluate(self, watch: Show | None = None) -> dict[str, Values]:
        """Plays ``test_nepisode`` episodes and returns the values per episode.

        A team that draws its joint actions is also measured for diversity, with values per state.  Where the exact
        expected return can be computed it comes with them, as one value.
        """
        batch = self.empty_batch(self.args.test_nepisode)
        self.latest = batch
        results = evaluate(self.game, self.mac, batch, self.args.seed, self.t_env, watch) | self._exact()
        self.check_levels(batch, self.game.name)
        return results if self.args.test_greedy else results | diversity(self.game, self.mac, batch, self.args.seed)

    def check_levels(self, batch: EpisodeBatch, source: str, first: int = 0) -> None:
        """Refuses episodes, from number ``first``, with values that ``state_levels`` would cut off.

        ``source`` says where they are from.
        """
        check_seen(batch, self.args.state_levels, self.args.policy_input, source, first)

    def _exact(self) -> dict[str, Values]:
        """The exact expected return, where it can be computed."""
        if not can_be_exact(self.game, self.mac):
            return {}
        found = exact_return(self.game, self.mac, self.empty_batch, self.t_env)
        if found is None and not self._told:
            self._told = True
            self.console.info("the team can see too many things for its exact return; the sampled one is reported")
        return {} if found is None else {EXACT: np.array([found])}

    def stats_of(self, results: Mapping[str, Values]) -> dict[str, float]:
        """What is logged of an evaluation, under EPyMARL's names."""
        return evaluation_stats(results, self.optimum, self.shares)

    def empty_batch(self, episodes: int) -> EpisodeBatch:
        """A batch of zeros ``[episodes, T + 1, ...]``."""
        return self.info.batch(episodes, self.device)

    def made_from(self) -> dict[str, str]:
        """What results of the run are made from beside code and rules, plain JSON: a digest of the data, if any."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What checkpoints say of where their episodes came from, plain JSON values."""
        return {}

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What a continued run needs."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up a state written by :meth:`state_dict`."""

    def close_env(self) -> None:
        self.env.close()
