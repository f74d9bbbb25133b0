"""CPA's second stage: policy agreement (paper Eqs. 9 to 12; Eqs. 13 to 18 are reconstructed).

What the students imitate is the exact list of joint actions that the teacher may play in a state, with
probabilities, one pool entry for each.  The labels belong to states, what the students see to steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch as th
from torch import Tensor, nn

from ..agreement.joint_law import JointLaw
from ..agreement.label_set import LabelSet
from ..agreement.pool import ActionEncoder
from ..agreement.pool_losses import assign, reconstruction_loss, straight_through, vq_loss
from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import Transitions
from ..controllers.student_controller import StudentMAC
from ..modules.losses import log_policy
from .taught import TaughtLearner
from .teaching_settings import TeachingSettings

WIDTH = 256  # joint actions that the teacher is asked for in a state; the pool keeps the likeliest
HEALTHY = 0.95


class StudentLearner(TaughtLearner):
    """Teaches students what their teacher may play.

    Raises:
        UserError: the teacher's checkpoint is missing, damaged, of another game or of other networks.
    """

    args: TeachingSettings
    mac: StudentMAC

    def build(self) -> dict[str, nn.Module]:
        args, mac, info = self.args, self.mac, self.info
        self.take_teacher()
        self.labels = LabelSet(self._law, self.n_labels)
        nets: list[nn.Module] = [mac.agent]
        self.action_encoder: ActionEncoder | None = None
        if args.selection == "encoder":
            with th.random.fork_rng(devices=[]):
                th.manual_seed(args.seed + 2)
                self.action_encoder = ActionEncoder(mac.teacher.encoder.n_out, info.n_agents, info.n_actions,
                                                    args.pool_dim, args.pool_hidden)
            nets.append(self.action_encoder)
        return {"students": nn.ModuleList(nets)}

    @property
    def n_labels(self) -> int:
        """Joint actions of the teacher that are taught in a state, at most."""
        return self.args.pool_size

    def _law(self, state: Tensor, available: Tensor) -> JointLaw:
        """The teacher's law in states ``[B, S]`` with masks ``[B, N, A]``."""
        teacher = self.mac.teacher
        return teacher.likeliest(teacher.encoder(state[:, None]), available, self.n_labels, WIDTH)

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> dict[str, float]:
        stats = super().train(batch, t_env, episode_num)
        if t_env >= self.stage.end:
            self._report()
        return stats

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        rows, first, count = self._distinct(step)
        state, available, actions, probs = (part.to(step.state.device) for part in self.labels[rows])
        weight = probs * (count / count.sum()).to(probs)[:, None]  # of every label, adding up to 1; [M, K]
        x = step.inputs[first]
        entries = self.mac.agent.pool(x)  # [M, c, G, d]
        log_shares = self.mac.agent.share_logits(x).log_softmax(1)  # [M, c]

        m, k = (probs > 0).nonzero(as_tuple=True)  # every label has its row from here on, [R]
        taught = _Labels(m, actions[m, k], available[m], weight[m, k])
        encoding = None if self.action_encoder is None else \
            self.action_encoder(self.mac.teacher.encoder(state)[m], taught.actions)
        cost = self._cost(entries, available, taught, encoding, k, actions.shape[1])
        index = assign(cost - self.args.share_weight * log_shares.detach()[:, None], probs > 0, self.args.exclusive)
        index = index[m, k]
        entry = entries[m, index]  # [R, G, d]

        losses = self._pool_losses(taught, entry, encoding)
        losses["share_loss"] = -(taught.weight * log_shares[m, index]).sum()
        if self.mac.agent.key.read_net() is not None:
            kl_weight = self.args.kl_weight * min(1.0, 2 * self.stage.progress(self.t_env))
            key_loss = self.mac.agent.key.loss(x[m, 0], entry[:, 0], index, kl_weight)
            losses["key_loss"] = (taught.weight * key_loss).sum()
        return losses, self._health(taught, entry, weight, probs, m, index)

    def _distinct(self, step: Transitions) -> tuple[Tensor, Tensor, Tensor]:
        """What there is to learn from: numbers of states, a step of each, and how many there are, ``[M]`` each.

        Steps in one state that look alike to the agents are one; memories and observations may differ at each.
        """
        number = self.labels.rows(step.recorded_state, step.available)
        each = number, th.arange(len(number)), th.ones(len(number), dtype=th.long)
        if not self.mac.sees_present_alone:
            return each
        rows, inverse, count = th.unique(number, return_inverse=True, return_counts=True)
        first = th.full((len(rows),), len(inverse)).scatter_reduce(0, inverse, th.arange(len(inverse)), "amin")
        if self.args.policy_input == "obs" and not th.equal(step.inputs, step.inputs[first][inverse]):
            return each
        return rows, first, count

    def _cost(self, entries: Tensor, available: Tensor, labels: _Labels, encoding: Tensor | None, k: Tensor,
              n_labels: int) -> Tensor:
        """How badly entries fit labels, ``[M, K, c]``: distance from the encoding (Eq. 9), or minus log-likelihood."""
        cost = entries.new_zeros(len(entries), n_labels, entries.shape[1])
        with th.no_grad():
            if encoding is not None:
                cost[labels.state, k] = (encoding[:, None] - entries[labels.state, :, 0]).square().sum(-1)
                return cost
            log_probs = log_policy(self.mac.agent.pool.decode_all(entries), available[:, None])  # [M, c, N, A]
            chosen = labels.actions[:, None, :, None].expand(-1, entries.shape[1], -1, -1)
            cost[labels.state, k] = -log_probs[labels.state].gather(-1, chosen)[..., 0].sum(-1)
        return cost

    def _pool_losses(self, labels: _Labels, entry: Tensor, encoding: Tensor | None) -> dict[str, Tensor]:
        def reconstruct(e: Tensor) -> Tensor:
            """Eq. 12, summed over the labels by weight."""
            log_probs = log_policy(self.mac.agent.pool.decode(e), labels.available)
            return (labels.weight * reconstruction_loss(log_probs, labels.actions)).sum()

        if encoding is None:
            return {"pool_loss": reconstruct(entry)}
        if self.stage.progress(self.t_env) < self.args.warm_up:  # first an autoencoder, which spreads the encodings
            noisy = encoding + 0.1 * th.randn_like(encoding)
            return {"reconstruction_loss": reconstruct(noisy[:, None]),
                    "vq_loss": (labels.weight * vq_loss(encoding.detach(), entry[:, 0], 0.0)).sum()}
        return {"reconstruction_loss": reconstruct(straight_through(encoding, entry[:, 0])[:, None]),
                "pool_loss": reconstruct(entry),
                "vq_loss": (labels.weight * vq_loss(encoding, entry[:, 0], self.args.commitment)).sum()}

    @th.no_grad()
    def _health(self, labels: _Labels, entry: Tensor, weight: Tensor, probs: Tensor, m: Tensor, index: Tensor,
                ) -> dict[str, Tensor]:
        """``reconstruction``: share of the teacher's play that its entries decode exactly; ``entries_used``: entries
        with a label, on average over states; ``mixing``: share of play whose entry serves another joint action of
        the state, too."""
        logits = masked_logits(self.mac.agent.pool.decode(entry), labels.available)
        exact = (logits.argmax(-1) == labels.actions).all(-1)
        load = weight.new_zeros(len(weight), self.args.pool_size).index_put_((m, index), weight.new_ones(len(m)), True)
        used = (load > 0).to(weight).sum(1)
        self.reconstruction = float((labels.weight * exact).sum())
        return {"reconstruction": (labels.weight * exact).sum(), "entries_used": (weight.sum(1) * used).sum(),
                "mixing": (labels.weight * (load[m, index] > 1)).sum()}

    def _report(self) -> None:
        """Says loudly what keeps the students from being the teacher."""
        console, labels, size = self.console, self.labels, self.args.pool_size
        if labels.lost > 0.01 * len(labels):
            console.warning("pool_size=%d leaves out %.1f %% of the teacher's play; it plays %s%d joint actions in a "
                            "state: set pool_size to that, or raise beta", size, 100 * labels.lost / len(labels),
                            "up to " if labels.modes < WIDTH else "more than ", labels.modes)
        if not self.mac.agent.local and self.reconstruction < HEALTHY:
            console.warning("THE STUDENTS HAVE NOT LEARNED THE TEACHER'S JOINT ACTIONS: only %.1f %% of its play is "
                            "reproduced exactly; raise student_t_max, pool_hidden or pool_size",
                            100 * self.reconstruction)

    def state_dict(self) -> dict[str, Any]:
        labels = {} if self.update.count >= self.args.student_t_max else self.labels.state_dict()
        return {**super().state_dict(), "labels": labels}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        if state["labels"]:
            self.labels.load_state_dict(state["labels"])


class _Labels:
    """R joint actions of the teacher.

    Attributes:
        state: which of the M states each belongs to, ``[R]``.
        actions: ``[R, N]``.
        available: ``[R, N, A]``.
        weight: share of the teacher's play in this batch, ``[R]``, adding up to 1.
    """

    def __init__(self, state: Tensor, actions: Tensor, available: Tensor, weight: Tensor) -> None:
        self.state, self.actions, self.available, self.weight = state, actions, available, weight
