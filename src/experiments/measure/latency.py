"""How long one agent takes to decide: policy agreement beside the shared-seed chain, for teams of 2 to 64.

The median time of one decision in one state with untrained networks of the usual sizes.  In the chain, an agent has to
run the decisions of all agents before it, too (shown is the last agent, who waits longest; on average it is half); a
student looks up the team's entry and reads its own part.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch as th

from ...agreement.key import AgreementKey, pick
from ...agreement.settings import PoolSettings
from ...agreement.students import Students
from ...components.action_selectors import threshold
from ...components.env_info import EnvInfo
from ...config import resolve
from ...deploy.export import arrays_of
from ...deploy.policy import Policy
from ...modules.autoregressive import AutoregressiveNet
from .plan import Plan
from .results import Table
from .timing import digits

N_STATE, N_ACTIONS, BETA, ENTRIES = 32, 5, 0.1, 16
TEAMS = (2, 4, 8, 16, 32, 64)


def student(n_agents: int) -> Callable[[], object]:
    """A decision of one exported student in a team of N."""
    args = PoolSettings.of({**resolve("cpa_pa", "xor"), "seed": 0, "pool_size": ENTRIES})
    students = Students(N_STATE, EnvInfo(n_agents, N_ACTIONS, N_STATE, N_STATE, episode_limit=1), args, local=False)
    meta = {"agent": n_agents - 1, "n_seen": N_STATE, "n_actions": N_ACTIONS, "pool_size": ENTRIES, "key": "prior",
            "key_per": "step", "key_numbers": 1, "entry_floor": 0.01, "greedy": False, "encoder": "memoryless",
            "state_levels": 0}
    policy = Policy(meta, arrays_of(students, n_agents - 1))
    policy.agree(0)
    state = np.ones(N_STATE, dtype=np.float32)
    return lambda: policy.act(state)


def chain(n_agents: int) -> Callable[[], object]:
    """A decision of the last agent, which walks the whole autoregressive chain with the shared key, in PyTorch."""
    net, key = AutoregressiveNet(N_STATE, n_agents, N_ACTIONS, 64), AgreementKey(0)
    state = th.ones(1, 1, N_STATE)

    @th.no_grad()
    def decide() -> object:
        drawn = key.draw([0], 0, n_agents)
        return net.rollout(state, lambda agent, logits: th.from_numpy(
            pick(threshold(logits.softmax(-1), BETA).double().numpy(), drawn[:, agent])))
    return decide


def numpy_chain(n_agents: int) -> Callable[[], object]:
    """The same without PyTorch, so that both sides of the comparison do their arithmetic alike."""
    net, key = AutoregressiveNet(N_STATE, n_agents, N_ACTIONS, 64), AgreementKey(0)
    weights = [p.detach().numpy() for p in (net.first, net.middle[0], net.last)]
    biases = [p.detach().numpy()[:, 0] for p in (net.first_bias, net.middle_bias[0], net.last_bias)]
    embedding, state = net.action.detach().numpy(), np.ones(N_STATE, dtype=np.float32)

    def decide() -> object:
        drawn, prefix, action = key.draw([0], 0, n_agents)[0], np.zeros(64, dtype=np.float32), 0
        for agent in range(n_agents):
            h = np.maximum(state @ weights[0][agent] + biases[0][agent] + prefix, 0)
            h = np.maximum(h @ weights[1][agent] + biases[1][agent], 0)
            logits = (h @ weights[2][agent] + biases[2][agent]).astype(np.float64)
            probs = np.exp(logits - logits.max())
            probs /= probs.sum()
            kept = probs * (probs > BETA)
            action = int(pick(kept[None] if kept.any() else probs[None], drawn[agent:agent + 1])[0])
            prefix = prefix + embedding[agent * N_ACTIONS + action]
        return action
    return decide


def microseconds(decide: Callable[[], object], times: int) -> float:
    """Median time of a call."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        decide()
        took.append(time.perf_counter() - started)
    return float(np.median(took)) * 1e6


def measure(plan: Plan) -> list[Table]:
    """One row for each size of team; the ways take turns, so that a busy machine slows all of them alike."""
    rows = []
    for n_agents in TEAMS[:2] if plan.quick else TEAMS:
        decisions = [way(n_agents) for way in (student, numpy_chain, chain)]
        rounds = np.array([[microseconds(decide, plan.times(30)) for decide in decisions]
                           for _ in range(plan.rounds)])
        fast, slow, slower = (float(round(value)) for value in np.median(rounds, 0))
        rows.append({"agents": n_agents, "student": fast, "chain (NumPy)": slow, "chain (PyTorch)": slower,
                     "chain (NumPy) / student": digits(float(np.median(rounds[:, 1] / rounds[:, 0])), 3)})
    return [Table("One decision of one agent", rows, "Microseconds by the wall. In the chain the last agent has to "
                  "decide for all before it, too; a student needs one look.")]
