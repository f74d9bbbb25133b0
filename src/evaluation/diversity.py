"""How many ways to cooperate a team has, and whether they are ways to cooperate (paper Eqs. 19 to 21).

The paper's measure, the mean entropy of the agents' *own* actions, is highest for a team that has
no agreement at all; it is therefore never given without the entropy of the joint action, the
distance from the teacher, and the share of mismatches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray

from ..agreement.joint_law import JointLaw
from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..envs.game import FloatArray, Game
from ..envs.mismatch import distinct, optimal_sets

STATES = 200  # visited states over which the measures are averaged
WIDTH = 256  # joint actions of an autoregressive team in a state


def diversity(game: Game, mac: Controller, batch: EpisodeBatch, seed: int) -> dict[str, FloatArray]:
    """Measures of the team's joint law in visited states, each ``[B]``; entropies in bits.

    Args:
        game: the rules.
        mac: a controller; the one that it imitates, if any, is what it is compared with.
        batch: episodes that were played.
        seed: chooses the states.

    Returns:
        Nothing for a team that draws no joint actions; else
        ``joint_entropy``, ``marginal_entropy`` (Eq. 19), ``modes`` (different joint actions), ``unlisted``
        (probability of joint actions beyond the ``WIDTH`` listed ones); with a teacher ``tv`` (total
        variation distance from its listed joint actions), ``teacher_unlisted``, ``teacher_modes`` and
        ``modes_covered`` (share of the teacher's joint actions that the team may play); where the game
        tabulates optimal joint actions ``optimal_share`` and ``mismatch_rate`` (Definition 1), the
        probabilities of such.
    """
    places = batch["filled"][..., 0].nonzero().cpu().numpy()
    if len(places) > STATES:
        places = places[np.sort(np.random.default_rng(seed).choice(len(places), STATES, replace=False))]
    bs, t = th.from_numpy(places.T.copy())
    law = mac.joint_law(batch, bs, t, WIDTH)
    if law is None:
        return {}
    rows, probs = _table(law)
    teacher = mac.acting.imitated  # none as long as it is the teacher that plays
    taught = teacher.joint_law(batch, bs, t, WIDTH) if teacher is not None else None
    taught_rows, taught_probs = (rows[:0], probs[:0]) if taught is None else _table(taught)
    first, number = distinct(np.concatenate([rows, taught_rows]))
    p = np.bincount(number[: len(rows)], probs, len(first))
    q = np.bincount(number[len(rows):], taught_probs, len(first))
    owner, joint = np.concatenate([rows, taught_rows])[first, 0], np.concatenate([rows, taught_rows])[first, 1:]

    def total(values: NDArray[Any]) -> FloatArray:
        return np.bincount(owner, values, len(places)).astype(np.float64)

    marginal = np.zeros((len(places), game.n_agents, game.n_actions))
    np.add.at(marginal, (owner[:, None], np.arange(game.n_agents), joint), p[:, None])
    out = {"joint_entropy": total(_bits(p)), "marginal_entropy": _bits(marginal).sum(2).mean(1),
           "modes": total(1.0 * (p > 0)), "unlisted": law.lost.double().cpu().numpy()}
    if taught is not None:
        out |= {"tv": total(np.abs(p - q)) / 2, "teacher_modes": total(1.0 * (q > 0)),
                "teacher_unlisted": taught.lost.double().cpu().numpy(),
                "modes_covered": total(1.0 * (p > 0) * (q > 0)) / total(1.0 * (q > 0))}
    found = optimal_sets(batch["state"][bs, t].cpu().numpy(), places[:, 1], game)
    if found is not None:
        optimal, mismatch = found[0].classify(found[1][owner], joint)
        out |= {"optimal_share": total(p * optimal), "mismatch_rate": total(p * mismatch)}
    return out


def _table(law: JointLaw) -> tuple[NDArray[np.int64], FloatArray]:
    """Rows (state's number, joint action) ``[R, 1 + N]`` and their probabilities ``[R]``."""
    probs = law.probs.double().cpu().numpy()
    owner, k = np.nonzero(probs)
    return np.concatenate([owner[:, None], law.actions.cpu().numpy()[owner, k]], 1), probs[owner, k]


def _bits(p: NDArray[Any]) -> FloatArray:
    """``-p log2 p``, and 0 where p is."""
    bits: FloatArray = -p * np.log2(np.where(p > 0, p, 1.0))
    return bits
