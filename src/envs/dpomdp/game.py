"""Any Dec-POMDP as a game: each agent sees its own observations, and nobody the state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...utils.files import named_path
from ...utils.registry import nearest
from ..game import BoolArray, FloatArray, Game, IntArray, Step
from ..registry import REGISTRY
from ..unfolding import Unfolding
from .known import KNOWN
from .library import optima
from .model import Model
from .parse import read
from .policies import tractable
from .problems import PROBLEMS, problem
from .unfold import NOTHING_YET, ByHistory, ByState


@lru_cache(maxsize=16)
def _from_file(path: Path, changed: int, size: int) -> Model:
    return read(path)


def model_of(name: str) -> Model:
    """The model of a problem, by its name or the path of a ``.dpomdp`` file.

    Raises:
        UserError: there is neither, or the file is damaged.
    """
    if name in PROBLEMS:
        return problem(name)
    path = named_path(name, "env_args.problem").resolve()
    if not path.is_file():
        raise UserError(f"env_args.problem: there is no problem and no file '{name}'{nearest(name, PROBLEMS)}; "
                        f"the problems are: {', '.join(PROBLEMS)}; others are files in the .dpomdp format.")
    found = path.stat()
    return _from_file(path, found.st_mtime_ns, found.st_size)


@REGISTRY.register("dpomdp")
class DecPomdp(Game):
    """States are ``[t, hidden state, each agent's last observation]``, -1 before the first.

    A step pays the expected reward of the hidden state and the joint action (see :class:`.model.Model`), undiscounted.
    The state vector holds the hidden state and all last observations as one-hot blocks, those of agents with fewer
    observations padded; an agent sees its own block, all zeros before the first observation.

    Args:
        problem: a name (dectiger, recycling, gridsmall, boxpushing, firefighting), or the path of a ``.dpomdp`` file.
        episode_limit: the horizon, which is a true end.
    """

    name = "dpomdp"

    def __init__(self, problem: str = "dectiger", episode_limit: int = 3) -> None:
        self.problem, self.episode_limit = problem, episode_limit
        self.model = model = model_of(problem)
        self.n_agents, self.n_actions = model.n_agents, max(model.n_actions)
        self.n_seen = max(model.n_observations)
        self.state_dim = model.n_states + self.n_agents * self.n_seen
        self.action_names = model.action_names[model.n_actions.index(self.n_actions)]
        self._may = np.arange(self.n_actions) < np.array(model.n_actions)[:, None]  # [N, A]

    @cached_property
    def _chances(self) -> tuple[FloatArray, FloatArray]:
        """Cumulative laws of next states ``[J, S, S']`` and joint observations ``[J, S', O]``, the last entries 1."""
        sums = self.model.transition.cumsum(2), self.model.observation.cumsum(2)
        return sums[0] / sums[0][..., -1:], sums[1] / sums[1][..., -1:]

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        model, state = self.model, np.full((batch, 2 + self.n_agents), NOTHING_YET, dtype=np.int64)
        state[:, 0] = 0
        state[:, 1] = rng.choice(model.n_states, size=batch, p=model.start)
        if model.first is not None:
            sums = model.first.cumsum(1)
            self._see(state, _drawn((sums / sums[:, -1:])[state[:, 1]], rng))
        return state

    def _see(self, state: IntArray, joint: IntArray) -> None:
        state[:, 2:] = np.stack(np.unravel_index(joint, self.model.n_observations), 1)

    def joint(self, actions: IntArray) -> IntArray:
        """Numbers of joint actions ``[B, N]``; an action that an agent does not have does what its first one does."""
        own = np.where(actions < self.model.n_actions, actions, 0)
        return np.asarray(np.ravel_multi_index(tuple(own.T), self.model.n_actions), dtype=np.int64)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        joint, hidden = self.joint(actions), state[:, 1]
        moves, sees = self._chances
        after = np.empty_like(state)
        after[:, 0] = state[:, 0] + 1
        after[:, 1] = _drawn(moves[joint, hidden], rng)
        self._see(after, _drawn(sees[joint, after[:, 1]], rng))
        return Step(after, self.model.reward[joint, hidden], after[:, 0] >= self.episode_limit, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        shown = np.zeros((len(state), self.state_dim), dtype=np.float32)
        shown[np.arange(len(state)), state[:, 1]] = 1.0
        blocks = shown[:, self.model.n_states:].reshape(len(state), self.n_agents, self.n_seen)
        blocks[:] = state[:, 2:, None] == np.arange(self.n_seen)
        return shown

    def decode(self, seen: NDArray[np.float32]) -> IntArray:
        blocks = self.view(seen)
        last = np.where(blocks.any(2), blocks.argmax(2), NOTHING_YET)
        hidden = seen[:, :self.model.n_states].argmax(1)
        return np.concatenate([np.zeros_like(hidden)[:, None], hidden[:, None], last], 1).astype(np.int64)

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        return seen[:, self.model.n_states:].reshape(len(seen), self.n_agents, self.n_seen)

    def available(self, state: IntArray) -> BoolArray:
        return np.broadcast_to(self._may, (len(state), *self._may.shape)).copy()

    def optimum(self) -> float | None:
        """The best value that is known of the problem (see :data:`.known.KNOWN`), else the best that the search finds.

        Of a file, or at a horizon that is not in the table, it is therefore a lower bound, though on every problem
        whose optimum is known the search finds it; None where the horizon is too long for exact work.
        """
        if (known := KNOWN.get(self.problem, {}).get(self.episode_limit)) is not None:
            return known
        return optima(self.model, self.episode_limit)[0][0] if tractable(self.model, self.episode_limit) else None

    def random_headline(self) -> float:
        """Exact: nothing that is seen matters."""
        model, law, total = self.model, self.model.start, 0.0
        moves, pays = model.transition.mean(0), model.reward.mean(0)
        for _ in range(self.episode_limit):
            total += float(law @ pays)
            law = law @ moves
        return total

    def unfolding(self, seeing: bool) -> Unfolding:
        return ByState(self.model) if seeing else ByHistory(self.model)

    @classmethod
    def label(cls, env_args: Mapping[str, Any]) -> str:
        name = str(env_args.get("problem", "dectiger"))
        short = name if name in PROBLEMS else re.sub(r"[^\w-]+", "-", Path(name).stem).strip("-") or "problem"
        return f"{cls.name}-{short}-{env_args.get('episode_limit', 3)}"

    @classmethod
    def file_of(cls, env_args: Mapping[str, Any]) -> str:
        name = str(env_args.get("problem", "dectiger"))
        return "" if name in PROBLEMS else name

    def spec(self) -> dict[str, Any]:
        """A file is known by its numbers, wherever it lies and whatever its words."""
        name = self.problem if self.problem in PROBLEMS else f"file {self.model.digest}"
        return {**super().spec(), "problem": name}

    def draw(self, state: IntArray) -> str:
        model = self.model
        width = max(map(len, (*model.state_names, *(word for words in model.observation_names for word in words))))
        seen = [f"agent {i} observed {words[k] if k >= 0 else 'nothing yet':<{width}}"
                for i, (words, k) in enumerate(zip(model.observation_names, state[2:].tolist(), strict=True))]
        first = f"step {state[0]} of {self.episode_limit}: hidden state {model.state_names[state[1]]:<{width}}"
        return "\n".join([first, *seen])


def _drawn(sums: FloatArray, rng: np.random.Generator) -> IntArray:
    """One place from each cumulative law ``[B, K]``."""
    return np.asarray((sums <= rng.random(len(sums))[:, None]).sum(1), dtype=np.int64)
