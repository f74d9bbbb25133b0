"""What all learners share: optimisers, the learning rate's decay, clipping, logging, saving."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch as th
from torch import Tensor, nn

from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import Transitions, transitions
from ..config.schema import Key
from ..errors import UserError
from ..modules.critics import Critic
from ..modules.followed import Followed
from ..utils.checkpoint import load_tensors


class Learner(ABC):
    """A learner in EPyMARL's contract; subclasses name their networks and compute losses.

    Every named network has its own Adam optimiser and gradient clip, so that the scale of one loss
    never slows another network down.

    Args:
        mac: the controller that is trained.
        scheme: of the batches.
        logger: takes statistics through ``log_stat``.
        args: the run's configuration.
    """

    KEYS: ClassVar[dict[str, Key]] = {}

    def __init__(self, mac: Any, scheme: Mapping[str, Any], logger: Any, args: Any) -> None:
        self.mac, self.logger, self.args = mac, logger, args
        self.updates, self.t_env = 0, 0
        self.log_stats_t = -args.learner_log_interval - 1
        self.nets: dict[str, nn.Module] = self.build()
        self.optimisers = {
            name: th.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=args.lr, fused=True)
            for name, net in self.nets.items()}

    @abstractmethod
    def build(self) -> dict[str, nn.Module]:
        """The networks to train, by name."""

    @abstractmethod
    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses to add up and minimise, by name, and further statistics, for M steps."""

    def steps(self, batch: EpisodeBatch) -> Transitions:
        """The M steps of B episodes ``[B, T + 1, ...]`` to learn from, rewards scaled."""
        args = self.args
        return transitions(batch, args.reward_scale, args.reward_min, args.reward_scalarisation == "sum")

    def after_step(self) -> None:
        """Called after every update: moves the target networks."""
        tau = self.args.target_update_interval_or_tau
        if tau > 1 and self.updates % int(tau):
            return
        for net in self.nets.values():
            for module in net.modules():
                if isinstance(module, Critic | Followed):
                    module.update_targets(min(tau, 1.0))

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """One update on B episodes.

        Raises:
            UserError: a loss or a gradient is not finite, or the batch holds no complete step; nothing
            has been changed then.
        """
        step = self.steps(batch)
        if not len(step.reward):
            raise UserError(f"the batch at t_env {t_env} holds no step whose outcome is known; check 'filled' and "
                            "'terminated' of the data.")
        self.t_env = t_env
        losses, stats = self.losses(step)
        total = th.stack(list(losses.values())).sum()
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norms = {name: nn.utils.clip_grad_norm_(net.parameters(), self.args.grad_norm_clip)
                 for name, net in self.nets.items()}
        self._check_finite({**losses, **{f"{name}_grad_norm": norm for name, norm in norms.items()}}, t_env)
        rate = self.rate(t_env)
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()  # a network without a gradient is left alone
        self.updates += 1
        self.after_step()
        if t_env - self.log_stats_t >= self.args.learner_log_interval:
            self.log_stats_t = t_env
            for name, value in {**losses, **stats}.items():
                self.logger.log_stat(name, float(value.detach()), t_env)
            for name, norm in norms.items():
                self.logger.log_stat(f"{name}_grad_norm", float(norm), t_env)

    def timed(self, state: Tensor, time: Tensor) -> Tensor:
        """What critics see of encoded states ``[M, S]``: with ``critic_time`` also the share of the horizon passed."""
        if not self.args.critic_time:
            return state
        return th.cat([state, (time / self.args.episode_limit)[:, None].to(state.dtype)], 1)

    def rate(self, t_env: int) -> float:
        """The learning rate, which falls linearly from ``lr`` to its share ``lr_final``."""
        share: float = 1 - (1 - self.args.lr_final) * min(1.0, t_env / max(1, self.args.t_max))
        return float(self.args.lr * share)

    def _check_finite(self, values: Mapping[str, Tensor], t_env: int) -> None:
        if math.isfinite(sum(float(value.detach()) for value in values.values())):
            return
        name = next((n for n, value in values.items() if not math.isfinite(float(value.detach()))), "their sum")
        raise UserError(f"training diverged: '{name}' is not finite at t_env {t_env} (update {self.updates}); "
                        "lower lr, or scale the rewards with reward_scale.")

    def cuda(self) -> None:
        self.mac.cuda()
        for net in self.nets.values():
            net.cuda()

    def state_dict(self) -> dict[str, Any]:
        """Everything a continued run needs: controller, networks with targets, optimisers, counters."""
        return {"mac": self.mac.state_dict(), "nets": {name: net.state_dict() for name, net in self.nets.items()},
                "optimisers": {name: opt.state_dict() for name, opt in self.optimisers.items()},
                "updates": self.updates, "log_stats_t": self.log_stats_t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.mac.load_state_dict(state["mac"])
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.updates, self.log_stats_t = state["updates"], state["log_stats_t"]

    def save_models(self, path: str) -> None:
        """Writes ``learner.th`` (everything), and the controller alone for those who only want to act."""
        th.save(self.state_dict(), Path(path) / "learner.th")
        self.mac.save_models(path)

    def load_models(self, path: str) -> None:
        self.load_state_dict(load_tensors(Path(path) / "learner.th"))
