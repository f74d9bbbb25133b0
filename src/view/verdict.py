"""What is wrong with a data set for agents that imitate it each by itself, in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.imitation import Imitation
from ..data.state_table import StateTable
from ..envs.game import IntArray

SERIOUS = 0.05  # share of joint actions
FEW = 5  # agents whose joint actions are written out
RARE = 0.5  # share of steps in states that come once
COSTLY = 0.02  # loss of reward as a share of what is recorded


def verdict(imitation: Imitation, tables: Sequence[StateTable], actions: Sequence[str], blind: bool,
            ) -> dict[str, Any]:
    """A headline and the sentences that explain it.

    Args:
        imitation: of the data.
        tables: its most frequent states.
        actions: names of the actions.
        blind: whether agents see less than the state.

    Returns:
        ``tone`` (``bad``, ``warn`` or ``good``), ``headline``, ``why`` (sentences), ``state`` (the table it is about).
    """
    steps = int(imitation.visits.sum())
    harmed = [k for k, table in enumerate(tables) if table.harmed]
    recorded, drawn = imitation.reward_per_step()
    loss = None if drawn is None else recorded - drawn
    costly = loss is not None and loss > COSTLY * max(abs(recorded), 1e-9)
    risk = max(range(len(tables)), key=lambda k: ((tables[k].mismatch or 0.0) + tables[k].never) * tables[k].visits)
    state = harmed[0] if harmed else risk
    table, once = tables[state], float((imitation.visits == 1).sum() / steps)
    if harmed:
        tone, headline = "bad", f"Independent agents would play {joint_name(table.greedy, actions)}: a mismatch"
        why = [_harm(table, steps, imitation.n_states, actions)]
    elif once > RARE:
        tone, headline = "warn", "States hardly recur, so independent imitation cannot be counted"
        why = [f"{_percent(once)} of the steps are in states that the data hold once only. What agents would do "
               "together that imitate their own part cannot be told by counting; look at whole episodes."]
        return {"tone": tone, "headline": headline, "why": why, "state": state}
    elif costly or imitation.never > SERIOUS or (table.mismatch or 0.0) > SERIOUS:
        tone, headline = "warn", "Independent agents would miss the recorded joint actions"
        why = ["Every agent's most frequent own actions fit together in the frequent states, but agents that draw from "
               f"what they saw do not meet. The state beside, {table.visits:,} of {steps:,} steps, shows it."]
    else:
        tone, headline = "good", "Independent agents would do as recorded"
        why = ["Every agent's own actions fit together: in the frequent states there is one way to cooperate, or "
               "agents that draw by themselves lose little."]
    why += _draws(table, imitation, steps)
    if loss is not None and drawn is not None and imitation.n_states > 1:
        why.append(f"Over all steps, a recorded step earns {_number(recorded)} on average; independent draws in the "
                   f"same states would earn {_number(drawn)} (estimated).")
    if harmed and imitation.n_states > 1:
        why.append(f"{_percent(imitation.harmed)} of the steps are in states where the most frequent own actions "
                   "together were never recorded or clearly returned less than that state does on average.")
    if blind:
        why.append("The agents see less than the state, by which they are imitated here; by what they see themselves, "
                   "they may do otherwise.")
    if tone != "good":
        why.append("Methods that agree on whole joint actions (cpa_ar, cpa_pa) are made for such data; bc and others "
                   "that learn each agent by itself are not.")
    return {"tone": tone, "headline": headline, "why": why, "state": state}


def joint_name(joint: IntArray, actions: Sequence[str]) -> str:
    """A joint action ``[N]`` in words; of many agents, those that do not do as most."""
    if len(joint) <= FEW:
        return " ".join(actions[action] for action in joint)
    common = int(np.bincount(joint).argmax())
    others = [f"{i} {actions[action]}" for i, action in enumerate(joint) if action != common]
    return f"({', '.join(others)}, others {actions[common]})" if others else f"({actions[common]} by all)"


def _harm(table: StateTable, steps: int, n_states: int, actions: Sequence[str]) -> str:
    where = "In the only state of the data" if n_states == 1 else \
        f"In a frequent state ({table.visits:,} of {steps:,} steps)"
    own = ", ".join(f"agent {i} {actions[action]} ({_percent(float(table.marginals[i, action]))})"
                    for i, action in enumerate(table.greedy[:4]))
    more = ", ..." if len(table.greedy) > 4 else ""
    said = f"{where} each agent alone mostly plays: {own}{more}. "
    best = int(table.to_go.argmax())
    good = f"{joint_name(table.joint[best], actions)} returned {_number(table.to_go[best])}"
    if table.greedy_to_go is None:
        paid = "" if table.greedy_reward is None else f" and would earn {_number(table.greedy_reward)} at once"
        return f"{said}Together that was never recorded there{paid}; {good} on average."
    return (f"{said}Together that returned {_number(table.greedy_to_go)} on average, while the state returns "
            f"{_number(table.to_go_recorded)}, and {good}.")


def _draws(table: StateTable, imitation: Imitation, steps: int) -> list[str]:
    said = []
    if table.mismatch is not None and table.mismatch > 0.0005:
        way = "exact" if table.exact else "estimated"
        said.append(f"If every agent draws by itself there, {_percent(table.mismatch)} of the joint actions are "
                    f"mismatches: each part is right in some optimal joint action, the whole is not ({way}).")
    if table.reward_drawn is not None:
        way = "exact" if table.exact else "estimated"
        said.append(f"Expected reward there: {_number(table.reward_recorded)} as recorded, "
                    f"{_number(table.reward_drawn)} by independent draws ({way}).")
    said.append(f"Over all {steps:,} steps, independent draws give a joint action that was never recorded in the "
                f"step's state with probability {_percent(imitation.never)} (exact).")
    return said


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
