"""What every controller ("mac") is: EPyMARL's contract, with hidden states for each row of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch as th
from torch import Tensor, nn

from ..agreement.joint_law import JointLaw
from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch, Index
from ..components.transitions import last_actions
from ..errors import UserError
from ..modules.encoders import REGISTRY as ENCODERS
from ..modules.encoders import Encoder, Sight
from ..modules.encoders.memoryless import Memoryless
from ..settings import Settings
from ..utils.tensor_files import load_networks, save_tensors
from .settings import all_alike


class Controller(ABC):
    """Chooses actions with a policy network that is trained by a learner.

    Tests draw from a generator of their own, so that evaluating never changes training.

    Args:
        info: sizes of the environment.
        args: settings; their class declares the controller's own keys.

    Raises:
        UserError: the agents are to remember, and this controller has its own idea of what they see.

    Attributes:
        encoder: what the agents make of what they see.
        agent: the policy's networks.
        hidden_states: what each row of the batch being played remembers, ``[B, G, H]``; None before the first step.
        draws: whether it needs generators of its own.
        learns: whether training changes how it acts.
        kin: the same word for controllers with the same networks, which only choose differently; "": there are none.
        acts: how, in a phrase, for lists of methods, which read it in the source.
        generators: of training (False) and tests (True).
        action_selector: None; EPyMARL's runners ask for it.
    """

    args: Settings
    agent: nn.Module
    draws: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    kin: ClassVar[str] = ""
    acts: ClassVar[str] = "in a way of its own"

    def __init__(self, info: EnvInfo, args: Settings) -> None:
        self.info, self.args = info, args
        self.n_agents = info.n_agents
        self.encoder = self.new_encoder()
        if args.use_rnn and type(self.encoder) is Memoryless:
            raise UserError(f"use_rnn=true has no effect on mac={args.mac}, whose agents have no memory; set "
                            "use_rnn=false.")
        self.hidden_states: Tensor | None = None
        self.action_selector = None
        self.generators = {test: th.Generator().manual_seed(2 * args.seed + test)
                           for test in ((False, True) if self.draws else ())}
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Makes ``agent`` and whatever else acts."""

    def new_encoder(self) -> Encoder:
        """What the agents are to make of what they see."""
        args, info = self.args, self.info
        beside = info.n_actions * args.obs_last_action + info.n_agents * args.obs_agent_id
        observed = info.state_shape if args.policy_input == "state" else info.obs_shape
        kind = ENCODERS[args.agent] if args.use_rnn else Memoryless
        return kind(Sight(observed, beside, args.state_levels, info.n_agents), args.hidden_dim)

    @property
    def all_alike(self) -> bool:
        """Whether all agents have the same features (G is 1)."""
        return all_alike(self.args)

    @property
    def sees_present_alone(self) -> bool:
        """Whether nothing that was before matters to the agents."""
        return not self.encoder.n_hidden and not self.args.obs_last_action

    @property
    def sees_state_alone(self) -> bool:
        """Whether all agents see just the present state, so that nothing but it need be encoded."""
        return self.all_alike and type(self.encoder) is Memoryless

    @property
    def acting(self) -> Controller:
        """The controller that plays now; this one, but for teams that learn in several stages."""
        return self

    @property
    def draws_in_tests(self) -> bool:
        """Whether tests draw actions, so that the same sight does not always lead to the same."""
        return not self.args.test_greedy

    # --- seeing ---
    def seen(self, ep_batch: EpisodeBatch, bs: Index = slice(None), t: Index = slice(None)) -> Tensor:
        """What the agents see, raw, ``[B, T, G, S]``; G is N, or 1 where all see the same.

        State or observation, own last action (zeros at first) and own number, as the settings say.

        Args:
            ep_batch: episodes.
            bs: some of them.
            t: all times, one (``[len(bs), G, S]``), or one for each of ``bs``, ``[R]`` (``[R, G, S]``).
        """
        args, info = self.args, self.info
        observed: Tensor = ep_batch[args.policy_input][bs, t]
        if args.policy_input == "state":
            observed = observed.unsqueeze(-2)
        if not self.encoder.sight.n_beside:
            return observed
        observed = observed.expand(*observed.shape[:-2], info.n_agents, -1)
        parts = [observed]
        if args.obs_last_action:
            parts.append(last_actions(ep_batch["actions_onehot"], bs, t).to(observed.dtype))
        if args.obs_agent_id:
            number = th.eye(info.n_agents, dtype=observed.dtype, device=observed.device)
            parts.append(number.expand(*observed.shape[:-1], -1))
        return th.cat(parts, -1)

    def encode(self, ep_batch: EpisodeBatch, encoder: Encoder | None = None) -> Tensor:
        """What they make of it, ``[B, T, G, F]``, by their encoder or by another one of its kind."""
        features: Tensor = (encoder or self.encoder)(self.seen(ep_batch))
        return features

    def encode_at(self, ep_batch: EpisodeBatch, bs: Index, t: Index) -> Tensor:
        """The same at places ``(bs, t)``, ``[R]`` each: ``[R, G, F]``."""
        if self.encoder.n_hidden:
            return self.encode(ep_batch)[bs, t]
        features: Tensor = self.encoder(self.seen(ep_batch, bs, t))
        return features

    def observe(self, ep_batch: EpisodeBatch, t: int, bs: Index = slice(None)) -> Tensor:
        """What they make of time ``t`` in the rows ``bs``, ``[len(bs), G, F]``; memories move on by one step."""
        seen = self.seen(ep_batch, bs, t)
        if not self.encoder.n_hidden:
            features: Tensor = self.encoder(seen)
            return features
        if self.hidden_states is None:
            self.hidden_states = self.encoder.init_hidden(self.seen(ep_batch, t=t))
        features, hidden = self.encoder.step(seen, self.hidden_states[bs])
        self.hidden_states = self.hidden_states.clone()  # what gradients go through is not overwritten
        self.hidden_states[bs] = hidden
        return features

    # --- acting, as EPyMARL calls it ---
    def init_hidden(self, batch_size: int) -> None:
        """Begins ``batch_size`` episodes."""
        self.hidden_states = None

    def seed_tests(self) -> None:
        """Starts the generator of tests afresh: every evaluation has the same, whatever came before it."""
        if self.draws:
            self.generators[True].manual_seed(2 * self.args.seed + 1)

    def seed_episode(self, seed: int, number: int) -> None:
        """Makes all that is drawn from now on that of the episode ``number`` with a seed of its own (recordings)."""
        for generator in self.generators.values():
            generator.manual_seed(seed)

    def seed_with(self, seed: int) -> None:  # noqa: B027 (most teams share no seed)
        """Takes the seed that the agents share; episodes are counted from 0."""

    @abstractmethod
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Index = slice(None),
                       test_mode: bool = False) -> Tensor:
        """Actions ``[len(bs), N]`` at time ``t_ep`` of the episodes ``bs``."""

    def greedy(self, inputs: Tensor, available: Tensor) -> Tensor | None:
        """The actions ``[R, N]`` of tests with ``test_greedy``, from what agents make of what they see ``[R, G, F]``
        and masks ``[R, N, A]``; None of controllers that are not asked without being played."""
        return None

    @abstractmethod
    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Rows ``[B, N, A]`` at time ``t``: logits, or values of actions."""

    def joint_law(self, ep_batch: EpisodeBatch, bs: Index, t: Index, width: int) -> JointLaw | None:
        """How likely every joint action is at places ``(bs, t)``, ``[R]`` each; None for teams that draw no joint ones.
        """
        return None

    # --- stages ---
    def part(self, stage: str) -> Controller:
        """The controller that is trained in a stage; this one, but for teams that learn in several."""
        return self

    def enter(self, stage: str) -> None:  # noqa: B027 (most teams have one stage)
        """From now on the part of this stage plays."""

    @property
    def imitated(self) -> Controller | None:
        """The controller that this one imitates, if any."""
        return None

    # --- keeping ---
    def parameters(self) -> Iterable[nn.Parameter]:
        return [*self.agent.parameters(), *self.encoder.parameters()]

    def load_state(self, other_mac: Controller) -> None:
        """Takes the networks of another controller of this kind."""
        self.agent.load_state_dict(other_mac.agent.state_dict())
        self.encoder.load_state_dict(other_mac.encoder.state_dict())

    def cuda(self) -> None:
        self.agent.cuda()
        self.encoder.cuda()

    def state_dict(self) -> dict[str, Any]:
        """Networks and generators."""
        return {"agent": self.agent.state_dict(), "encoder": self.encoder.state_dict(),
                "generators": [generator.get_state() for generator in self.generators.values()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.agent.load_state_dict(state["agent"])
        self.encoder.load_state_dict(state["encoder"])
        for generator, own in zip(self.generators.values(), state["generators"], strict=True):
            generator.set_state(own)

    def save_models(self, path: str) -> None:
        save_tensors(self.state_dict(), Path(path) / "mac.th")

    def load_models(self, path: str) -> None:
        self.load_state_dict(load_networks(Path(path) / "mac.th"))


