"""CPA's second stage: policy agreement (paper Eqs. 9 to 12; Eqs. 13 to 18 are reconstructed).

What the students imitate is the exact list of joint actions that the teacher may play in a state, with
probabilities, one pool entry for each, or, as the paper has it, what the teacher draws (``labels=drawn``).  The
labels belong to states, what the students see to steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch as th
from torch import Tensor, nn

from ..agreement.drawn_labels import DrawnIn, put_together
from ..agreement.joint_law import JointLaw, beam_for
from ..agreement.label_set import LabelSet
from ..agreement.labels import Labels
from ..agreement.pool import ActionEncoder, column_policy
from ..agreement.pool_losses import assign, reconstruction_loss, straight_through, vq_loss
from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import Transitions
from ..controllers.student_controller import StudentMAC
from ..conventions.experience import EpisodeSource
from .taught import TaughtLearner
from .teaching_settings import TeachingSettings

WIDTH = 256  # joint actions that the teacher is asked for in a state, at least; the pool keeps the likeliest
COUNTED = 100  # states in which its joint actions are counted in the end, where a narrow beam did not find all
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
        self._drawn_in = DrawnIn() if args.labels == "drawn" else None
        self._table: Tensor | None = None  # the numbers of the recorded steps' states, as far as they are known
        self._place: Tensor | None = None  # which recorded episodes are in the batch
        nets: list[nn.Module] = [mac.agent]
        self.action_encoder: ActionEncoder | None = None
        if args.selection == "encoder":
            with th.random.fork_rng(devices=[]):
                th.manual_seed(args.seed + 2)
                self.action_encoder = ActionEncoder(mac.teacher.encoder.n_out if args.encoder_state else 0,
                                                    info.n_agents, info.n_actions, args.pool_dim, args.pool_hidden)
            nets.append(self.action_encoder)
        return {"students": nn.ModuleList(nets)}

    @property
    def n_labels(self) -> int:
        """Joint actions of the teacher that are taught in a state, at most."""
        return self.args.pool_size

    def _law(self, state: Tensor, available: Tensor) -> JointLaw:
        """The teacher's law in states ``[B, S]`` with masks ``[B, N, A]``."""
        teacher = self.mac.teacher
        return teacher.likeliest(teacher.encoder(state[:, None]), available, self.n_labels, self.width)

    @property
    def width(self) -> int:
        """Joint actions that the teacher is asked for in a state."""
        return max(WIDTH, self.n_labels)

    def use_data(self, source: EpisodeSource) -> None:
        super().use_data(source)
        self._table = th.full((source.n_episodes, self.info.episode_limit + 1), -1)

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> dict[str, float]:
        self._place = getattr(batch, "place", None)  # EPyMARL's own batches know of none
        stats = super().train(batch, t_env, episode_num)
        if t_env >= self.stage.end:
            self._report()
        return stats

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        rows, first, count = self._distinct(step)
        if self._drawn_in is None:
            state, available, actions, probs = self.labels[rows]
        else:
            first, count, actions, probs = self._draw(step, first, count)
            state, available = step.recorded_state[first], step.available[first]
        weight = probs * (count / count.sum()).to(probs)[:, None]  # of every label, adding up to 1; [M, K]
        x = step.inputs[first]
        entries = self.mac.agent.pool(x)  # [M, c, G, d]
        log_shares = self.mac.agent.share_logits(x).log_softmax(1)  # [M, c]

        m, k = (probs > 0).nonzero(as_tuple=True)  # every label has its row from here on, [R]
        taught = Labels(m, actions[m, k], available.permute(1, 2, 0).contiguous(), weight[m, k])
        encoding = None if self.action_encoder is None else \
            self.action_encoder(self.mac.teacher.encoder(state)[m], taught.actions)
        cost = entries.new_zeros(*probs.shape, entries.shape[1])
        if entries.shape[1] > 1:  # else there is nothing to choose
            cost[m, k] = self._cost(entries, taught, encoding)
        index = assign(cost - self.args.share_weight * log_shares.detach()[:, None], probs > 0, self.args.exclusive)
        index = index[m, k]
        place = m * entries.shape[1] + index
        entry = entries.flatten(0, 1).index_select(0, place)  # [R, G, d]

        alone = entries.shape[1] == 1 and encoding is None
        losses, played = self._only_loss(taught, entries) if alone else self._pool_losses(taught, entry, encoding)
        losses["share_loss"] = -(taught.weight * log_shares.flatten().index_select(0, place)).sum()
        if self.mac.agent.key.read_net() is not None:
            kl_weight = self.args.kl_weight * min(1.0, 2 * self.stage.progress(self.t_env))
            key_loss = self.mac.agent.key.loss(x[m, 0], entry[:, 0], index, kl_weight)
            losses["key_loss"] = (taught.weight * key_loss).sum()
        if not self._tells:
            return losses, {}
        best = played.argmax(1)
        stats = taught.health(best[:, m] if alone else best, index, self.args.pool_size)
        self.reconstruction = stats["reconstruction"]
        return losses, stats

    def _draw(self, step: Transitions, first: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A joint action of the teacher for every step, by Eq. 8.

        Args:
            first, count: as from :meth:`_distinct`.

        Returns:
            ``first`` and ``count``, ``[D]`` in the order of the steps; joint actions ``[D, K, N]``, shares ``[D, K]``.
        """
        teacher, order = self.mac.teacher, first.argsort()
        drawn = teacher.drawn(teacher.encoder(step.recorded_state[:, None]), step.available, th.default_generator)
        first, count = first[order], count[order]
        place = th.arange(len(drawn), device=first.device)
        if len(first) < len(drawn):
            number = self._numbers(step)
            rank = number.new_zeros(int(number.max()) + 1).scatter(0, number[first], place[:len(first)])
            place = rank[number]
        return first, count, *put_together(place, drawn, len(first))

    def _distinct(self, step: Transitions) -> tuple[Tensor, Tensor, Tensor]:
        """What there is to learn from: numbers of states, a step of each, and how many there are, ``[M]`` each.

        Steps in one state that look alike to the agents are one; memories and observations may differ at each.
        """
        number = self._numbers(step)
        steps = th.arange(len(number), device=number.device)
        each = number, steps, th.ones_like(number)
        if not self.mac.sees_present_alone:
            return each
        rows, inverse, count = th.unique(number, return_inverse=True, return_counts=True)
        first = th.full_like(rows, len(inverse)).scatter_reduce(0, inverse, steps, "amin")
        if self.args.policy_input == "obs" and not th.equal(step.inputs, step.inputs[first][inverse]):
            return each
        return rows, first, count

    def _numbers(self, step: Transitions) -> Tensor:
        """The numbers of the steps' states, ``[M]``; those of recorded steps are looked up once."""
        known = self._drawn_in or self.labels
        if self._place is None or self._table is None:
            return known.rows(step.recorded_state, step.available)
        self._table = self._table.to(step.episode.device)
        place = self._place.to(step.episode.device)[step.episode], step.time
        number = self._table[place]
        new = (number < 0).nonzero()[:, 0]
        if len(new):
            number[new] = known.rows(step.recorded_state[new], step.available[new])
            self._table[place] = number
        return number

    def _cost(self, entries: Tensor, labels: Labels, encoding: Tensor | None) -> Tensor:
        """How badly entries fit labels, ``[R, c]``: distance from the encoding (Eq. 9), or minus log-likelihood."""
        if encoding is None:
            return self.mac.agent.pool.misfit(entries, labels.allowed, labels.state, labels.actions)
        with th.no_grad():
            return (encoding[:, None] - entries[labels.state, :, 0]).square().sum(-1)

    def _only_loss(self, labels: Labels, entries: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        loss, played = labels.only_loss(self.mac.agent.pool, entries[:, 0])
        return {"pool_loss": loss}, played

    def _pool_losses(self, labels: Labels, entry: Tensor, encoding: Tensor | None,
                     ) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of the pool, and what its entries play, log-probabilities ``[N, A, R]``."""
        pool, allowed = self.mac.agent.pool, labels.allowed.index_select(2, labels.state)  # [N, A, R]

        def policy(e: Tensor) -> Tensor:
            return column_policy(pool.columns(e), allowed)

        def miss(log_probs: Tensor) -> Tensor:
            """Eq. 12, summed over the labels by weight."""
            return (labels.weight * reconstruction_loss(log_probs.permute(2, 0, 1), labels.actions)).sum()

        if encoding is None:
            played = policy(entry)
            return {"pool_loss": miss(played)}, played
        if self.stage.progress(self.t_env) < self.args.warm_up:  # first an autoencoder, which spreads the encodings
            noisy = encoding + 0.1 * th.randn_like(encoding)
            return {"reconstruction_loss": miss(policy(noisy[:, None])),
                    "vq_loss": (labels.weight * vq_loss(encoding.detach(), entry[:, 0], 0.0)).sum()}, \
                policy(entry.detach())
        played = policy(entry)
        losses = {"reconstruction_loss": miss(policy(straight_through(encoding, entry[:, 0])[:, None]))}
        if self.args.entry_loss:
            losses["pool_loss"] = miss(played)
        losses["vq_loss"] = (labels.weight * vq_loss(encoding, entry[:, 0], self.args.commitment)).sum()
        return losses, played

    @property
    def _tells(self) -> bool:
        """Whether anybody hears how well the students do in this update."""
        return self.t_env - self.log_stats_t >= self.args.learner_log_interval or self.t_env >= self.stage.end

    def _report(self) -> None:
        """Says loudly what keeps the students from being the teacher."""
        console, labels, size = self.console, self.labels, self.args.pool_size
        if labels.lost > 0.01 * len(labels):
            console.warning("pool_size=%d leaves out %.1f %% of the teacher's play; it plays %s joint actions in a "
                            "state: set pool_size to that, or raise beta", size, 100 * labels.lost / len(labels),
                            self._repertoire())
        if not self.mac.agent.local and self.reconstruction < HEALTHY:
            console.warning("THE STUDENTS HAVE NOT LEARNED THE TEACHER'S JOINT ACTIONS: only %.1f %% of its play is "
                            "reproduced exactly; raise student_t_max, pool_dim, pool_hidden or pool_size",
                            100 * self.reconstruction)

    def _repertoire(self) -> str:
        """How many joint actions the teacher plays in a state, in words."""
        labels = self.labels
        if labels.modes < min(self.width, beam_for(self.n_labels)):
            return f"up to {labels.modes}"
        # The labels come from a narrow beam, so some states are looked at again.
        some = th.linspace(0, len(labels) - 1, min(COUNTED, len(labels)), device=self.labels.device).long()
        state, available, _, _ = labels[some]
        teacher = self.mac.teacher
        law = teacher.law(teacher.encoder(state[:, None]), available, self.width)
        modes = max(labels.modes, int((law.probs > 0).sum(1).max()))
        return f"as many as {modes}" if modes < self.width else f"more than {self.width}"

    def state_dict(self) -> dict[str, Any]:
        labels = {} if self.update.count >= self.args.student_t_max else self.labels.state_dict()
        return {**super().state_dict(), "labels": labels}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        if state["labels"]:
            self.labels.load_state_dict(state["labels"])
            if self._table is not None:
                self._table.fill_(-1)
