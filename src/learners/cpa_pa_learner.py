"""CPA's second stage: policy agreement (paper Eqs. 9 to 12; Eqs. 13 to 18 are reconstructed).

First the teacher learns for ``t_max`` updates, exactly as ``cpa_ar`` does (or it is loaded), then
the students learn from it for ``student_t_max`` updates.  What they imitate is the exact list of
joint actions that the teacher may play in a state, with probabilities, one pool entry for each.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch
from ..components.joint_law import JointLaw
from ..components.label_set import LabelSet
from ..components.transitions import Transitions
from ..config.schema import COUNT, FLAG, SHARE, TEXT, Key
from ..errors import UserError
from ..modules.action_pool import ActionEncoder
from ..modules.losses import log_policy
from ..modules.pool_losses import assign, reconstruction_loss, straight_through, vq_loss
from ..utils import checkpoint
from . import REGISTRY
from .base import Learner
from .cpa_ar_learner import CpaArLearner

WIDTH = 256  # joint actions that the teacher is asked for in a state; the pool keeps the likeliest
HEALTHY = 0.95


@REGISTRY.register("cpa_pa_learner")
class CpaPaLearner(Learner):
    """Policy agreement; needs the ``pa_mac`` controller.

    The run's ``t_max`` is extended by ``student_t_max``; with ``teacher`` given it is
    ``student_t_max`` alone.

    Raises:
        UserError: the teacher's checkpoint is missing, damaged, of another game or of other networks.
    """

    KEYS: ClassVar[dict[str, Key]] = {
        **CpaArLearner.KEYS, "teacher": TEXT, "student_t_max": COUNT, "student_lr": Key(float, low=0.0),
        "selection": Key(str, choices=("likelihood", "encoder")), "exclusive": FLAG,
        "share_weight": Key(float, low=0.0), "commitment": Key(float, low=0.0), "warm_up": SHARE,
        "kl_weight": Key(float, low=0.0)}

    def build(self) -> dict[str, nn.Module]:
        args, mac = self.args, self.mac
        if mac.agent.local and args.selection == "encoder":
            raise UserError("selection=encoder compares entries with an encoding of the state, which students with "
                            "policy_input=obs do not see; use selection=likelihood.")
        self.start = 0 if args.teacher else args.t_max
        self.teacher = CpaArLearner(mac.teacher, {}, self.logger, copy.copy(args))  # with the teacher's own t_max
        if args.teacher and not args.checkpoint_path:  # a continued run has its teacher
            self._load_teacher()
        mac.taught = not self.start
        self._begin_at(self.start)
        self.labels = LabelSet(self._ask, args.pool_size)
        with th.random.fork_rng(devices=[]):
            th.manual_seed((args.seed or 0) + 2)
            self.encoder = ActionEncoder(mac.teacher.encoder.n_out, args.n_agents, args.n_actions, args.pool_dim,
                                         args.pool_hidden)
        return {"students": nn.ModuleList([mac.agent, self.encoder])}

    def _begin_at(self, start: int) -> None:
        """The students' stage begins behind this many updates."""
        self.start, self.args.t_max = start, start + self.args.student_t_max

    def _load_teacher(self) -> None:
        folder = checkpoint.find(self.args.teacher, 0, "teacher")
        manifest = checkpoint.read_manifest(folder)
        if manifest["config"].get("mac") != "ar_mac":
            raise UserError(f"{folder} was trained with mac={manifest['config'].get('mac')} and holds no teacher; give "
                            "the model folder of a cpa_ar run.")
        checkpoint.check(manifest, folder, getattr(self.args, "game_spec", {}), vars(self.args),
                         ("hidden_dim", "n_layers", "state_levels"))
        checkpoint.load_into(self.mac.teacher, folder)
        self.logger.console_logger.info("teacher: %s", folder)

    def _ask(self, state: Tensor, available: Tensor) -> JointLaw:
        law: JointLaw = self.mac.teacher.law(state, available, WIDTH)
        return law

    def rate(self, t_env: int) -> float:
        return float(self.args.student_lr * (1 - (1 - self.args.lr_final) * self._progress(t_env)))

    def _progress(self, t_env: int) -> float:
        """Share of the students' time that has passed."""
        return float(min(1.0, max(0.0, (t_env - self.start) / self.args.student_t_max)))

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        """One update of the teacher, or later of the students, on B episodes.

        Raises:
            UserError: as for every learner.
        """
        if self.start and t_env <= self.start:
            self.teacher.train(batch, t_env, episode_num)
            return
        self.mac.taught = True
        super().train(batch, t_env, episode_num)
        if t_env >= self.args.t_max:
            self._report()

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        number = self.labels.rows(step.state, step.available)
        rows, inverse, count = th.unique(number, return_inverse=True, return_counts=True)
        state, available, actions, probs = (part.to(step.state.device) for part in self.labels[rows])
        weight = probs * (count / count.sum()).to(probs)[:, None]  # of every label, adding up to 1; [M, K]
        x = self._inputs(step, state, inverse)
        entries = self.mac.agent.pool(x)  # [M, c, G, d]
        log_shares = self.mac.agent.share_logits(x).log_softmax(1)  # [M, c]

        m, k = (probs > 0).nonzero(as_tuple=True)  # every label has its row from here on, [R]
        taught = _Labels(m, actions[m, k], available[m], weight[m, k])
        encoding = self.encoder(self.mac.teacher.encoder(state)[m], taught.actions) \
            if self.args.selection == "encoder" else None
        cost = self._cost(entries, available, taught, encoding, k, actions.shape[1])
        index = assign(cost - self.args.share_weight * log_shares.detach()[:, None], probs > 0, self.args.exclusive)
        index = index[m, k]
        entry = entries[m, index]  # [R, G, d]

        losses = self._pool_losses(taught, entry, encoding)
        losses["share_loss"] = -(taught.weight * log_shares[m, index]).sum()
        if self.mac.agent.key.read_net() is not None:
            kl_weight = self.args.kl_weight * min(1.0, 2 * self._progress(self.t_env))
            key_loss = self.mac.agent.key.loss(x[m, 0], entry[:, 0], index, kl_weight)
            losses["key_loss"] = (taught.weight * key_loss).sum()
        return losses, self._health(taught, entry, weight, probs, m, index)

    def _inputs(self, step: Transitions, state: Tensor, inverse: Tensor) -> Tensor:
        """What the students see in the M different states, ``[M, G, n_input]``."""
        if not self.mac.agent.local:
            return self.mac.encoder(state)[:, None]  # type: ignore[no-any-return]
        first = th.full((len(state),), len(inverse)).scatter_reduce(0, inverse, th.arange(len(inverse)), "amin")
        return self.mac.encoder(step.obs[first])  # type: ignore[no-any-return]

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
        if self._progress(self.t_env) < self.args.warm_up:  # first an autoencoder, which spreads the encodings
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
        console, labels, size = self.logger.console_logger, self.labels, self.args.pool_size
        if labels.lost > 0.01 * len(labels):
            console.warning("pool_size=%d leaves out %.1f %% of the teacher's play; it plays %s%d joint actions in a "
                            "state: set pool_size to that, or raise beta", size, 100 * labels.lost / len(labels),
                            "up to " if labels.modes < WIDTH else "more than ", labels.modes)
        if not self.mac.agent.local and self.reconstruction < HEALTHY:
            console.warning("THE STUDENTS HAVE NOT LEARNED THE TEACHER'S JOINT ACTIONS: only %.1f %% of its play is "
                            "reproduced exactly; raise student_t_max, pool_hidden or pool_size",
                            100 * self.reconstruction)

    def cuda(self) -> None:
        super().cuda()
        self.teacher.cuda()

    def state_dict(self) -> dict[str, Any]:
        labels = {} if self.updates >= self.args.student_t_max else self.labels.state_dict()
        return {**super().state_dict(), "teacher": self.teacher.state_dict(), "labels": labels,
                "start": self.start}

    def load_state_dict(self, state: Any) -> None:
        super().load_state_dict(state)
        self.teacher.load_state_dict(state["teacher"])
        if state["labels"]:
            self.labels.load_state_dict(state["labels"])
        if self.args.evaluate or state["start"] == self.start:
            return
        if not self.updates and self.args.teacher:
            raise UserError("the checkpoint is of a run that was still training a teacher of its own; continue it "
                            "without teacher=..., or start a run with teacher=... and without checkpoint_path.")
        if self.updates:  # what the students have begun to learn stays
            self.logger.console_logger.warning("the students began at t_env %d and go on from there, whatever t_max "
                                               "and teacher say now", state["start"])
            self._begin_at(state["start"])


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
