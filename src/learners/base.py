"""What all learners share: the update, the learning rate's decay, statistics, saving."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import Logger
from typing import Any

import torch as th
from torch import Tensor, nn

from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import Transitions
from ..controllers.base import Controller
from ..errors import Diverged
from ..modules.agent_mlp import AgentMLP
from ..modules.encoders import Encoder
from ..modules.followed import Followed, followed, target_pairs
from ..settings import Settings
from .repeating import Learned, Repeating
from .update import Update


@dataclass(frozen=True)
class Stage:
    """A part of a method's training.

    Attributes:
        name: one word.
        learner: what learns in it.
        length: number of updates (offline) or of steps of the environment (online).
        begin: ``t_env`` after which it begins.
    """

    name: str
    learner: type[Learner]
    length: int
    begin: int = 0

    @property
    def end(self) -> int:
        """``t_env`` at which it ends."""
        return self.begin + self.length

    def progress(self, t_env: int) -> float:
        """Share of it that has passed."""
        return min(1.0, max(0.0, (t_env - self.begin) / max(1, self.length)))


def stages_of(learner: type[Learner], args: Settings) -> list[Stage]:
    """The stages of a method, one after the other, from its settings alone."""
    begin, placed = 0, []
    for stage in learner.stages(args):
        placed.append(Stage(stage.name, stage.learner, stage.length, begin))
        begin = placed[-1].end
    return placed


class Learner(Repeating):
    """Learns in one stage; subclasses name their networks and compute losses.

    Subclasses annotate ``args`` with the class of their settings, which declares their configuration keys, and
    ``mac`` with the class of controllers that they can train; other controllers are refused before a run begins.
    What subclasses override beyond :data:`.STACKABLE` keeps seeds from being trained stacked.

    Args:
        mac: the controller that is trained.
        info: sizes of the environment.
        console: takes words.
        args: settings.
        stage: when it learns.
    """

    def __init__(self, mac: Controller, info: EnvInfo, console: Logger, args: Settings, stage: Stage) -> None:
        super().__init__(mac, info, console, args)
        self.stage = stage
        self.forget_clock()
        self.nets: dict[str, nn.Module] = self.build()
        readers = followed(self.nets.values())
        self.target_encoder = self._add("encoder", mac.encoder, any(net is mac.agent for net in readers))
        self.target_state_encoder = self._add("critic_encoder", self.state_encoder, bool(readers))
        self.update = Update({name: trained(net) for name, net in self.nets.items()},
                             target_pairs(self.nets.values()), args, self.lr)

    def forget_clock(self) -> None:
        """``t_env`` begins at 0 (again), and statistics are due at once."""
        self.t_env, self.log_stats_t = 0, -self.args.learner_log_interval - 1

    @classmethod
    def stages(cls, args: Settings) -> Sequence[Stage]:
        """What is learned one after the other; where they begin follows from their lengths."""
        return [Stage("training", cls, args.t_max)]

    @classmethod
    def reads_critic_input(cls, args: Settings) -> bool:
        """Whether it has a critic or a mixer that sees the state, in any of its stages."""
        return True

    @abstractmethod
    def build(self) -> dict[str, nn.Module]:
        """The networks to train, by name."""

    def _add(self, name: str, encoder: Encoder, has_target: bool) -> Encoder:
        """Trains an encoder with the rest, if there is something to train; returns the one that target networks see by.
        """
        if next(encoder.parameters(), None) is None:
            return encoder
        if not has_target:
            self.nets[name] = encoder
            return encoder
        self.nets[name] = both = Followed(encoder)
        return both.target

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> dict[str, float]:
        """One update on B episodes.

        Returns:
            Statistics by name, every ``learner_log_interval``; else none.

        Raises:
            Diverged: a loss or a gradient is not finite; nothing has been changed then.  On a GPU it is told with the
                next statistics, or by :meth:`verify`.
            UserError: the batch holds no complete step.
        """
        self.t_env = t_env
        rows = self.step_source.repeatable(self, batch)
        losses, stats, norms = self._repeat(*rows) if rows else self._learn(self.step_source.draw(self, batch))
        if t_env >= self.stage.end:
            self.forget_steps()
        if t_env - self.log_stats_t < self.args.learner_log_interval:
            return {}
        self.log_stats_t = t_env
        self.verify()
        return {**{name: float(value.detach()) for name, value in {**losses, **stats}.items()},
                **{f"{name}_grad_norm": float(norm) for name, norm in norms.items()}}

    def _learn(self, step: Transitions) -> Learned:
        """An update on M steps."""
        self._check_any(len(step.reward))
        if self._there is not None:
            self.bring_numbers(step.reward.device)
        losses, stats = self.losses(step)

        def check(norms: Mapping[str, Tensor]) -> None:
            self._check_finite({**losses, **{f"{name}_grad_norm": norm for name, norm in norms.items()}})

        return losses, stats, self.update(th.stack(list(losses.values())).sum(), self.rate(self.t_env), check)

    def state_rows(self, n_out: int, further: int = 0) -> AgentMLP:
        """A network of the usual size for every agent, of the encoded state ``[M, 1, S' + further]``; see
        ``IndependentMAC.rows`` for those of what the agents see."""
        args = self.args
        return AgentMLP(self.info.n_agents, [self.state_encoder.n_out + further, *[args.hidden_dim] * args.n_layers,
                                             n_out])

    @property
    def lr(self) -> float:
        """The learning rate at the beginning of the stage."""
        return self.args.lr

    def rate(self, t_env: int) -> float:
        """The learning rate, which falls linearly to its share ``lr_final`` at the end of the stage."""
        return float(self.lr * (1 - (1 - self.args.lr_final) * self.stage.progress(t_env)))

    def make_ready(self) -> None:
        """Makes the policy fit to be played and kept on the way; what is learned afterwards is as without it."""

    def leave(self) -> bool:
        """Does what only the last update of the stage would have done, as the stage is left before.

        Returns:
            Whether the policy is another one now.
        """
        return False

    def verify(self) -> None:
        """Tells what an update has not told, as it did not wait for the device.

        Raises:
            Diverged: something was not finite; nothing has been changed since.
        """
        if (update := self.update.diverged()) is not None:
            raise Diverged(f"training diverged: a loss or a gradient is not finite in update {update} of the stage "
                           f"'{self.stage.name}'; lower lr, or scale the rewards with reward_scale.")

    def _check_finite(self, values: Mapping[str, Tensor]) -> None:
        if math.isfinite(sum(float(value.detach()) for value in values.values())):
            return
        name = next((n for n, value in values.items() if not math.isfinite(float(value.detach()))), "their sum")
        raise Diverged(f"training diverged: '{name}' is not finite at t_env {self.t_env} (update "
                        f"{self.update.count}); lower lr, or scale the rewards with reward_scale.")

    def cuda(self) -> None:
        for net in self.nets.values():
            net.cuda()

    def state_dict(self) -> dict[str, Any]:
        """Everything a continued stage needs beside the controller: networks with targets, optimisers, counters."""
        told = {"reward_scale": self.reward_scale} if self.args.reward_scale is None and self.source is not None else {}
        return {"nets": {name: net.state_dict() for name, net in self.nets.items()}, **self.update.state_dict(),
                "log_stats_t": self.log_stats_t, "begin": self.stage.begin, **told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
        self.update.load_state_dict(state)
        self.log_stats_t = state["log_stats_t"]
        if self.args.reward_scale is None and (scale := state.get("reward_scale")) is not None:  # also on other data
            if not (isinstance(scale, float) and 0.0 < scale <= 1.0):
                raise ValueError("the scale of the rewards is none")
            self.reward_scale = scale


def trained(net: nn.Module) -> list[Tensor]:
    """The parameters of a network that are trained."""
    return [param for param in net.parameters() if param.requires_grad]
