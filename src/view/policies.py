"""What a trained team does, state by state, and which entries or conventions its episodes follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch as th

from ..agreement.joint_law import JointLaw
from ..build import Team
from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..controllers.student_controller import StudentMAC
from ..conventions.network import Conventions
from ..envs.mismatch import distinct
from ..evaluation.play import evaluate
from .drawing import Drawings
from .story import LEGENDS, story

EPISODES = 100
STATES = 24
WIDTH = 256  # joint actions of a state that are looked at
LISTED = 12
LIKELY = 0.001


def policies(team: Team, seed: int = 0) -> dict[str, Any]:
    """Plays episodes and looks at the states that they visit most.

    Args:
        team: of a checkpoint.
        seed: of the game's randomness.
    """
    game, mac = team.game, team.mac
    batch = team.info.batch(EPISODES)
    results = evaluate(game, mac, batch, seed, team.t_env)
    steps = _steps(batch, results["ep_length"].astype(np.int64))
    episode, time = np.nonzero(steps)
    seen = batch["state"].cpu().numpy()[episode, time]
    actions = batch["actions"][..., 0].cpu().numpy()
    entries = _entries(mac, batch, steps) if mac.acting is mac else None
    first, number = distinct(seen)
    visits = np.bincount(number)
    earliest = np.full(len(first), np.iinfo(np.int64).max)
    np.minimum.at(earliest, number, time)
    order = np.lexsort((first, earliest, -visits))[:STATES]
    # The state after an episode's last action is not in the batch, so its story ends one step before.
    whole = story(game, batch["state"].cpu().numpy(), actions, steps.sum(1) - 1) if game.pure else None
    drawings = None if whole is None else Drawings(game)
    counted = "The agents remember" if not mac.acting.sees_present_alone else \
        "The agents play what they like best" if mac.args.test_greedy else ""
    states = []
    for k in sorted(order.tolist(), key=lambda k: (earliest[k], -visits[k], first[k])):
        e, t = episode[number == k], time[number == k]
        states.append({"picture": None if drawings is None or whole is None else drawings.add(whole[e[0], t[0]]),
                       **_state(team, batch, e, t, not counted, actions)})
    return {"actions": [str(name) for name in game.action_names], "agents": game.n_agents, "states": states,
            "drawings": None if drawings is None else drawings.content, "distinct": len(first),
            "legend": None if drawings is None else LEGENDS.get(game.name),
            "counted": counted, "episodes": EPISODES, "returns": results["return"].tolist(),
            "lengths": results["ep_length"].astype(int).tolist(), "ways": _ways(actions, steps, results["return"]),
            "entries": None if entries is None else entries[:, :_longest(steps)].tolist(),
            "entryName": "convention" if isinstance(mac.agent, Conventions) else "entry",
            "greedy": bool(mac.args.test_greedy)}


def _steps(batch: EpisodeBatch, lengths: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where an action was chosen, ``[E, T + 1]``."""
    return np.asarray(np.arange(batch["filled"].shape[1]) < lengths[:, None])


def _longest(steps: np.ndarray[Any, Any]) -> int:
    return int(steps.sum(1).max())


@th.no_grad()
def _state(team: Team, batch: EpisodeBatch, episodes: np.ndarray[Any, Any], times: np.ndarray[Any, Any],
           by_law: bool, actions: np.ndarray[Any, Any]) -> dict[str, Any]:
    """One state: what is played there, by law where this is drawn and nothing before it matters, else as counted."""
    at, t = int(episodes[0]), int(times[0])
    seen = batch["state"][at, t].cpu().numpy()
    content: dict[str, Any] = {"time": t, "visits": len(episodes),
                               "seen": [float(f"{value:.6g}") for value in seen.tolist()]}
    played = actions[episodes, times]
    first, number = distinct(played)
    counted = np.bincount(number) / len(number)
    content["played"] = _listed(played[first], counted)
    mac = team.mac
    bs, ts = th.tensor([at]), th.tensor([t])
    law = mac.joint_law(batch, bs, ts, WIDTH) if by_law else None
    content["law"] = None if law is None else _law(law)
    teacher = mac.imitated
    taught = None if teacher is None or teacher is mac else teacher.joint_law(batch, bs, ts, WIDTH)
    content["teacher"] = None if taught is None else _law(taught)
    return content


def _law(law: JointLaw) -> list[dict[str, Any]]:
    """Different joint actions and their probabilities, likeliest first."""
    joint, probs = law.actions[0].cpu().numpy(), law.probs[0].double().cpu().numpy()
    first, number = distinct(joint)
    return _listed(joint[first], np.bincount(number, probs))


def _listed(joint: np.ndarray[Any, Any], probs: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    order = [k for k in np.argsort(-probs, kind="stable").tolist() if probs[k] >= LIKELY]
    return [{"actions": joint[k].tolist(), "probability": float(probs[k])} for k in order[:LISTED]]


def _ways(actions: np.ndarray[Any, Any], steps: np.ndarray[Any, Any], returns: np.ndarray[Any, Any],
          ) -> list[dict[str, Any]]:
    """Joint actions at the first step, with their share of the episodes and mean return."""
    start = actions[:, 0]
    first, number = distinct(start)
    count = np.bincount(number)
    mean = np.bincount(number, returns) / count
    return [{"actions": start[first[k]].tolist(), "count": int(count[k]), "mean": float(mean[k])}
            for k in np.argsort(-count, kind="stable")[:LISTED].tolist()]


@th.no_grad()
def _entries(mac: Controller, batch: EpisodeBatch, steps: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """The entry or convention that each episode plays at each step, ``[E, T + 1]``, -1 beyond its end.

    None for teams without such.
    """
    if not isinstance(mac, StudentMAC) or not mac.taught:
        return None
    features = mac.encode(batch)
    found = np.full(steps.shape, -1)
    for t in range(_longest(steps)):
        rows = np.flatnonzero(steps[:, t])
        bs = th.from_numpy(rows)
        key = None if mac.args.test_greedy else mac.keys.draw(batch, bs, t, mac.key_length, True)
        inputs = features[bs, t]
        agent: Any = mac.agent
        chosen = agent.choose(len(rows), key) if isinstance(agent, Conventions) else \
            agent.choose(inputs, agent.pool(inputs), key)
        found[rows, t] = chosen.cpu().numpy()
    return found
