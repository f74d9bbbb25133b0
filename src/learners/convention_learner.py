"""Conventions: whole decentralised joint policies, found in the data and improved beyond them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch as th
from torch import Tensor, nn

from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import Transitions
from ..controllers.pa_controller import AgreementMAC
from ..conventions.column_model import Columns
from ..conventions.experience import EpisodeSource, Experience, returns_of
from ..conventions.guide import Guide
from ..conventions.likelihood import episode_likelihood
from ..conventions.mixture import even_loss, mixture_loss
from ..conventions.network import Conventions
from ..conventions.plan import Plan, law_of, spread_of
from ..conventions.repeats import usual_repeats
from ..conventions.stage_planner import StagePlanner
from ..conventions.stationary_planner import StationaryPlanner
from ..conventions.table_planner import TablePlanner
from ..conventions.view import View
from ..errors import UserError
from ..modules.losses import behaviour_loss, log_policy
from ..utils.progress import counting
from .taught import TaughtLearner
from .teaching_settings import AgreementTeachingSettings

PLANNING_STREAM = 1_000_005  # keeps what a planner draws apart from everything else drawn from the seed
JUDGED = 500  # episodes at once
COUNTED = 1000  # episodes, of which it is counted how often agents repeat themselves
LESSONS = 64  # episodes of a plan in one update
NEEDS_RECORDED = "conventions are learned from recorded episodes as a whole; use runner=offline."
USED = 0.02  # share of the recorded episodes from which on a convention counts as used


class ConventionLearner(TaughtLearner):
    """Entries of the pool as conventions, in three parts.

    *Fit*, for ``fit_share`` of the stage: the entries become the conventions of the data, by the likelihood of whole
    episodes, log sum_j rho_j prod_t prod_i pi_i^j(a_i | own history), after a beginning in which all entries get as
    many episodes (see :mod:`epymarl_cpa.conventions.mixture`).

    *Improve*: what single steps lead to is learned from all episodes together, and conventions are looked for there,
    beginning with those of the data (see :class:`.TablePlanner`, :class:`.StagePlanner`,
    :class:`.StationaryPlanner`).

    *Teach*: each entry imitates a convention of the plan.  A key means the better ones.

    With ``improvement=imitation`` there is only the first, and a convention is worth what the recorded episodes that
    follow it returned.

    Raises:
        UserError: a teacher's checkpoint that cannot be loaded, no recorded episodes, or data that a planner cannot
            use.
    """

    args: AgreementTeachingSettings
    mac: AgreementMAC
    pool: Conventions

    def build(self) -> dict[str, nn.Module]:
        if self.args.runner == "episode" and not self.args.evaluate:
            raise UserError(NEEDS_RECORDED)
        if self.args.guided:
            self.take_teacher()
        elif self.args.teacher:
            self.console.warning("teacher=%s has no effect: conventions have a teacher only with improvement=stages",
                                 self.args.teacher)
        self.improves = self.args.improvement != "imitation"
        self.plan: Plan | None = None
        self._ready_at = 0
        self._lessons: EpisodeBatch | None = None
        self._entry = th.zeros(0, dtype=th.long)  # what each episode of the batch shows, if it is of the plan
        assert isinstance(self.mac.agent, Conventions)
        self.pool = self.mac.agent
        return {"students": self.pool}

    def use_data(self, source: EpisodeSource) -> None:
        super().use_data(source)
        if self.improves:  # what a planner cannot use is told before minutes of learning, not after them
            data = self._experience()
            if self.args.improvement not in ("auto", "table"):
                View(data)
                Columns(data.state[data.filled])
            elif reason := self._tables(data).reason:
                self.console.info("conventions are not improved beyond the data: %s", reason)
                self.improves = False
        if not self.improves and source.n_episodes:
            rows = th.linspace(0, source.n_episodes - 1, min(source.n_episodes, COUNTED)).long()
            self.pool.repeats.fill_(usual_repeats(source.episodes(rows)))

    # --- learning ---
    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> dict[str, float]:
        if self.improves and self.plan is None and \
                t_env > self.stage.begin + self.args.fit_share * self.stage.length:
            self._improve()
        self._entry = th.zeros(0, dtype=th.long)
        if self.plan is not None:
            assert self._lessons is not None
            rows = th.randint(len(self.plan.entry), (LESSONS,))
            batch, self._entry = self._lessons[rows], self.plan.entry[rows]
            batch.to(next(self.pool.parameters()).device)
        stats = super().train(batch, t_env, episode_num)
        if t_env >= self.stage.end and self.plan is None:
            self._judge()
        return stats

    def make_ready(self) -> None:
        if self.plan is None and self._ready_at != self.update.count < self.stage.length:
            self._ready_at = self.update.count
            self._judge(JUDGED)

    def leave(self) -> bool:
        if self.plan is not None:
            return False
        self._judge()
        return True

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if len(self._entry):
            entry = self._entry.to(step.episode.device)[step.episode]
            logits = self.pool.under(step.inputs, entry)
            exact = (masked_logits(logits, step.available).argmax(-1) == step.actions).all(-1).float().mean()
            return {"teach_loss": behaviour_loss(log_policy(logits, step.available), step.actions)}, \
                {"reconstruction": exact, "value_estimate": self.pool.values[0]}
        every = self.pool.every(step.inputs)  # [M, c, N, A]
        likelihood = episode_likelihood(step, every, int(step.episode.max()) + 1)  # [B, c]
        heat, log_mixing = self._temperature(), self.pool.mixing.log_softmax(0)
        loss = even_loss(likelihood, heat) if heat else mixture_loss(likelihood, log_mixing)
        with th.no_grad():
            posterior = (likelihood + self.pool.mixing.log_softmax(0)).softmax(1)
            follows = every[th.arange(len(every)), posterior.argmax(1)[step.episode]]
            agreement = (masked_logits(follows, step.available).argmax(-1) == step.actions).float().mean()
        return {"fit_loss": loss / len(step.reward)}, {
            "conventions_used": (posterior.mean(0) > self._least_use).float().sum(),
            "sharpness": posterior.amax(1).mean(), "agreement": agreement, "temperature": likelihood.new_tensor(heat)}

    def _temperature(self) -> float:
        """That of the even beginning, which falls to 1 as a straight line; 0 after it."""
        args = self.args
        whole = args.fit_share if self.improves else 1.0
        begins = args.fit_even * whole
        left = 1 - self.stage.progress(self.t_env) / begins if begins else 0.0
        return 1 + (args.fit_temperature - 1) * left if left > 0 else 0.0

    # --- improving ---
    def _improve(self) -> None:
        """Plans, and turns to what was planned."""
        data = self._experience()
        with counting("searching for conventions", unit=""):
            plan = self._plan(data)
        self._take(plan)
        self._play_by(th.arange(len(plan)), plan.values, plan.errors, th.ones(len(plan)), spread_of(data.returns))
        self.console.info("%d conventions, estimated to be worth %.4f +- %.4f down to %.4f; recorded episodes: %.4f",
                          len(plan), plan.values[0], plan.errors[0], plan.values[-1], data.returns.mean())

    def _plan(self, data: Experience) -> Plan:
        """The plan by the settings' way."""
        args, horizon = self.args, self.info.episode_limit
        rng = np.random.default_rng([args.seed, PLANNING_STREAM])
        generator = th.Generator().manual_seed(args.seed + PLANNING_STREAM)
        if args.improvement == "stages":
            teacher = self.mac.teacher
            return StagePlanner(data, horizon, args, Guide(teacher.agent, teacher.encoder), generator).plan(rng)
        if args.improvement == "stationary":
            return StationaryPlanner(data, args, generator).plan(rng)
        tables = self._tables(data)
        return tables.plan(self._greedy(tables.histories.obs, tables.histories.available), rng)

    def _tables(self, data: Experience) -> TablePlanner:
        """A planner that may have a reason not to plan, if that was not asked for."""
        tables = TablePlanner(data, self.info.episode_limit, self.args)
        if tables.reason and self.args.improvement == "table":
            raise UserError(f"improvement=table is not possible here: {tables.reason}; set improvement=imitation.")
        return tables

    def _experience(self) -> Experience:
        if self.source is None:
            raise UserError(NEEDS_RECORDED)
        return Experience.of(self.source, self.info.episode_limit, self.args.reward_scalarisation == "sum")

    @property
    def _least_use(self) -> float:
        """Share of the recorded episodes above which a convention is one of the data's; one always has more."""
        return min(USED, 0.5 / self.pool.size)

    @th.no_grad()
    def _greedy(self, obs: Tensor, available: Tensor) -> list[Tensor]:
        """What the agents do under each convention that the data use, when they see ``obs`` ``[R, T, N, O]``."""
        found = []
        for j in (self.pool.mixing.softmax(0) > self._least_use).nonzero()[:, 0]:
            actions = th.zeros(obs.shape[:3], dtype=th.long)
            device = self.pool.mixing.device
            for t in range(obs.shape[1] if self.args.obs_last_action else 1):
                batch = self._shown(obs, actions, available)
                batch.to(device)
                features = self.mac.encode(batch)[:, :-1]
                logits = self.pool.under(features.flatten(0, 1), j.expand(features.shape[:2].numel()))
                whole = masked_logits(logits.cpu(), available.flatten(0, 1)).argmax(-1).view(actions.shape)
                actions = th.cat([actions[:, :t], whole[:, t:]], 1)
            found.append(actions)
        return found

    def _shown(self, obs: Tensor, actions: Tensor, available: Tensor, lengths: Tensor | None = None) -> EpisodeBatch:
        """Episodes ``[R, T, ...]`` as a batch, whole ones or of ``lengths`` ``[R]`` steps.

        States and rewards are not known, and nobody asks for them.
        """
        length = obs.shape[1]
        batch: EpisodeBatch = self.info.batch(len(obs))[:, : length + 1]
        batch.update({"obs": obs, "actions": actions, "avail_actions": available}, ts=slice(length))
        batch.update({"avail_actions": th.ones_like(available[:, :1])}, ts=length)
        left = th.full((len(obs),), length) if lengths is None else lengths
        left = left[:, None] - th.arange(length + 1)  # [R, T + 1]
        batch.update({"terminated": (left == 1)[..., None], "filled": (left >= 0)[..., None]})
        return batch

    def _take(self, plan: Plan) -> None:
        self.plan = plan
        self._lessons = self._shown(plan.obs, plan.actions, plan.available, plan.lengths)

    def _play_by(self, entries: Tensor, values: Tensor, errors: Tensor, prior: Tensor, spread: float) -> None:
        """Lets the key mean the better ones of some entries ``[P]``, and none of the others."""
        args, pool = self.args, self.pool
        laws = law_of(values, errors, prior, args.caution, args.law_temperature, spread), values, errors
        device = pool.shares.device
        pool.play_by(*(th.zeros(pool.size, dtype=th.double).index_put_((entries,), each.double()).to(device)
                       for each in laws))

    @th.no_grad()
    def _judge(self, most: int | None = None) -> None:
        """Values conventions by the recorded episodes that follow them, so that a key means the better ones.

        Args:
            most: how many episodes are looked at, for a rough idea on the way; None: all, and it is told.
        """
        if self.source is None:
            raise UserError(NEEDS_RECORDED)
        rows = th.arange(self.source.n_episodes)
        if most is not None and most < len(rows):
            rows = th.linspace(0, len(rows) - 1, most).long()
        posterior, returns = [], []
        for some in th.split(rows, JUDGED):
            batch = self.source.episodes(some)
            step = self.steps(batch)
            likelihood = episode_likelihood(step, self.pool.every(step.inputs), batch.batch_size)
            posterior.append((likelihood + self.pool.mixing.log_softmax(0)).softmax(1).double().cpu())
            # Not the rewards of training, which may be scaled and cut.
            returns.append(returns_of(batch, self.args.reward_scalarisation == "sum").cpu())
        share, paid = th.cat(posterior), th.cat(returns)
        entries = (share.mean(0) > self._least_use).nonzero()[:, 0]
        if not len(entries):
            return  # numbers that are not finite; who saves the model will say so
        mass = share.mean(0)[entries]
        share = share[:, entries] / share[:, entries].sum(0)
        values = share.T @ paid
        spread = (share * (paid[:, None] - values) ** 2).sum(0).sqrt()
        errors = spread * share.square().sum(0).sqrt()
        self._play_by(entries, values, errors, mass, spread_of(paid))
        if most is not None:
            return
        best = int((values - self.args.caution * errors).argmax())
        self.console.info("%d conventions in the data; the best is followed by episodes of mean return %.4f; recorded "
                          "episodes: %.4f", len(entries), values[best], paid.mean())

    # --- keeping ---
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "plan": {} if self.plan is None else self.plan.state_dict(),
                "improves": self.improves}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        # A run of before, when it was found out later that there is no table, may say that it improves all the same.
        self.improves = self.improves and state["improves"]
        if state["plan"]:
            self._take(Plan(**state["plan"]))
