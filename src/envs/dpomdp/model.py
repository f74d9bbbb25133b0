"""A Dec-POMDP as arrays: several agents, each with its own observations, and a reward for all of them together."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..game import FloatArray

TOLERANCE = 1e-6  # by which a law may miss 1


@dataclass(frozen=True, eq=False)
class Model:
    """States, joint actions and joint observations are numbered; joint ones row by row, the last agent's fastest.

    J is the product of the agents' numbers of actions, O that of their observations.  The reward is the expected one
    of a state and a joint action: where a file pays by the next state or the observations, too, this is its mean,
    and nothing more is kept, since no expected return depends on it.

    Attributes:
        transition: ``[J, S, S']``.
        observation: law of the joint observation, given the joint action and the state that it led to, ``[J, S', O]``.
        reward: ``[J, S]``.
        start: law of the first state, ``[S]``.
        first: law of the joint observation that is made before the first action, ``[S, O]``; None: there is none.
        n_actions, n_observations: of each of the N agents.
        state_names: S words.
        action_names, observation_names: for each agent, a word for each.

    Raises:
        ValueError: sizes that do not fit, or numbers that are no laws; files are checked before this.
    """

    transition: FloatArray
    observation: FloatArray
    reward: FloatArray
    start: FloatArray
    n_actions: tuple[int, ...]
    n_observations: tuple[int, ...]
    state_names: tuple[str, ...]
    action_names: tuple[tuple[str, ...], ...]
    observation_names: tuple[tuple[str, ...], ...]
    first: FloatArray | None = None

    def __post_init__(self) -> None:
        j, s, o = math.prod(self.n_actions), len(self.start), math.prod(self.n_observations)
        shapes = {"transition": (j, s, s), "observation": (j, s, o), "reward": (j, s), "start": (s,), "first": (s, o)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is None and name == "first":
                continue
            if array.shape != shape or not np.isfinite(array).all():
                raise ValueError(f"{name} must hold finite numbers {shape}, not {array.shape}")
            if name != "reward" and (array.min() < 0 or abs(array.sum(-1) - 1).max() > TOLERANCE):
                raise ValueError(f"{name} must hold laws, which sum to 1")
        words = (self.action_names, self.n_actions), (self.observation_names, self.n_observations)
        if self.n_agents < 2 or any(tuple(map(len, names)) != sizes for names, sizes in words) \
                or len(self.n_observations) != self.n_agents or len(self.state_names) != s:
            raise ValueError("two or more agents, and a name for everything, are needed")

    @property
    def n_agents(self) -> int:
        return len(self.n_actions)

    @property
    def n_states(self) -> int:
        return len(self.start)

    @property
    def n_joint(self) -> tuple[int, int]:
        """J and O."""
        return math.prod(self.n_actions), math.prod(self.n_observations)

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits of the numbers, to nine decimals; names do not count."""
        found = hashlib.sha256(repr((self.n_actions, self.n_observations, self.n_states)).encode())
        for array in (self.transition, self.observation, self.reward, self.start, self.first):
            # + 0.0 makes -0.0 a plain zero
            found.update(b"none" if array is None else np.ascontiguousarray(np.round(array, 9) + 0.0).tobytes())
        return found.hexdigest()[:12]


def joint_names(names: tuple[tuple[str, ...], ...], joint: int) -> tuple[str, ...]:
    """The words of a joint action or observation, by its number."""
    each = np.unravel_index(joint, [len(words) for words in names])
    return tuple(words[int(k)] for words, k in zip(names, each, strict=True))
