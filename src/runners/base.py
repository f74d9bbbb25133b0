"""What both runners share: the environment, the batch layout, and evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar

from ..components.episode_buffer import EpisodeBatch
from ..envs.game import Game
from ..envs.multi_agent_env import MultiAgentEnv
from .diversity import diversity
from .evaluation import Values, Watch, evaluate, log_evaluation


class Runner(ABC):
    """A runner in EPyMARL's contract.

    Args:
        args: the run's configuration; ``episode_limit`` and ``game_spec`` are added to it.
        logger: takes statistics.

    Attributes:
        learns_offline: whether a batch from :meth:`run` is trained on as it is (else it goes
            through a replay buffer).
        env, game: the environment and its rules.
        t_env: the run's clock.
        latest: the episodes of the last evaluation.
        batch_size: 1, the number of episodes of a :meth:`run` as EPyMARL counts them.
    """

    learns_offline: ClassVar[bool]

    def __init__(self, args: Any, logger: Any) -> None:
        self.args, self.logger = args, logger
        self.env = MultiAgentEnv(args.env, **{"seed": args.seed, **args.env_args}, common_reward=args.common_reward,
                                 reward_scalarisation=args.reward_scalarisation)
        self.game: Game = self.env.game
        args.episode_limit, args.game_spec = self.game.episode_limit, self.game.spec()
        self.batch_size, self.t_env = 1, 0

    @cached_property
    def optimum(self) -> float | None:
        """The best possible expected return, None where nobody knows it; some games need a second to find it."""
        return self.game.optimum()

    def get_env_info(self) -> dict[str, Any]:
        return self.env.get_env_info()

    def setup(self, scheme: Any, groups: Any, preprocess: Any, mac: Any) -> None:
        """Takes the batch layout and the controller."""
        self.scheme, self.groups, self.preprocess, self.mac = scheme, groups, preprocess, mac

    @abstractmethod
    def run(self, test_mode: bool = False) -> EpisodeBatch | None:
        """The next training batch; in test mode plays and logs an evaluation instead and returns None."""

    def evaluate(self, watch: Watch | None = None) -> dict[str, Values]:
        """Plays ``test_nepisode`` episodes, logs their means and returns the values per episode.

        A team that draws its joint actions is also measured for diversity, with values per state.
        """
        batch = self.empty_batch(self.args.test_nepisode)
        self.latest = batch
        results = evaluate(self.game, self.mac, batch, self.args.seed, self.t_env, watch)
        if hasattr(self.mac, "joint_law") and not self.args.test_greedy:
            results |= diversity(self.game, self.mac, batch, self.args.seed)
        log_evaluation(self.logger, results, self.optimum, self.t_env, self.args)
        return results

    def empty_batch(self, episodes: int) -> EpisodeBatch:
        """A batch of zeros ``[episodes, T + 1, ...]``."""
        return EpisodeBatch(self.scheme, self.groups, episodes, self.game.episode_limit + 1,
                            preprocess=self.preprocess, device=self.args.device)

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What a continued run needs."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up a state written by :meth:`state_dict`."""

    def close_env(self) -> None:
        self.env.close()

    def save_replay(self) -> None:
        self.env.save_replay()
