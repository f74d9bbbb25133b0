"""Aloha: radio islands must not transmit next to each other (CASEC's MACO).

By default the islands form a ladder whose graph has two largest independent sets; a team that mixes
halves of the two collides.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .game import BoolArray, Game, IntArray, Step, checked_observation
from .optima import cached_optimum
from .picture import Last, Mark, Picture
from .registry import REGISTRY

WAIT, SEND = 0, 1


@REGISTRY.register("aloha")
class Aloha(Game):
    """``rows x cols`` islands with message queues.

    States are ``[t, messages sent so far, messages collided so far, backlog_1 .. backlog_N]``; every island
    starts with one message.  If an island that has a message sends, the message gets through
    (``send_reward``, one message less) unless a neighbour chose to send too, with or without a message;
    then it collides (``collision_reward``) and stays in the queue.  An island without a message that sends
    gets neither, but disturbs its neighbours.  Afterwards a message arrives at each island with probability
    ``arrival_rate``.  The team is paid the sum over all islands.

    Islands i and i + 1 are neighbours, also across the end of a row (as in every public version of
    the game), and so are i and i + cols.

    Args:
        rows, cols: size of the grid; at most 12 islands.
        arrival_rate: chance of a new message per island and step.
        max_backlog: length of a full queue, at which messages that arrive are lost.
        send_reward: what a message that gets through pays; must be positive.
        collision_reward: what a message that collides costs; must not be positive.
        observation: what an island sees: ``state``, or ``local``, its own backlog.
        episode_limit: number of steps.
    """

    name = "aloha"
    action_names = ("wait", "send")
    info_keys: ClassVar[tuple[str, ...]] = ("messages_sent", "collisions")
    headline: ClassVar[str] = "messages_sent"

    def __init__(self, rows: int = 2, cols: int = 5, arrival_rate: float = 0.6, max_backlog: int = 5,
                 send_reward: float = 0.1, collision_reward: float = -10.0, observation: str = "state",
                 episode_limit: int = 20) -> None:
        if rows < 1 or cols < 1 or rows * cols > 12:
            raise UserError(f"env_args.rows x cols of aloha must be between 1 and 12 islands, not {rows} x {cols}.")
        if not 0.0 <= arrival_rate <= 1.0 or max_backlog < 1:
            raise UserError("env_args of aloha need 0 <= arrival_rate <= 1 and max_backlog >= 1.")
        if send_reward <= 0 or collision_reward > 0:
            raise UserError("env_args of aloha need send_reward > 0 and collision_reward <= 0.")
        self.observation = checked_observation(observation)
        self.rows, self.cols, self.arrival_rate, self.max_backlog = rows, cols, arrival_rate, max_backlog
        self.send_reward, self.collision_reward, self.episode_limit = send_reward, collision_reward, episode_limit
        self.n_agents, self.n_actions = rows * cols, 2
        self.state_dim = self.n_agents
        i = np.arange(self.n_agents)
        gap = abs(i[:, None] - i)
        self.neighbours: BoolArray = (gap == 1) | (gap == cols)

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        state = np.ones((batch, 3 + self.n_agents), dtype=np.int64)
        state[:, :3] = 0
        return state

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        backlog = state[:, 3:]
        trying = (actions == SEND) & (backlog > 0)
        crowded = (actions == SEND) @ self.neighbours
        sent, collided = trying & ~crowded, trying & crowded
        arrived = rng.random(backlog.shape) < self.arrival_rate
        after = np.empty_like(state)
        after[:, 0] = state[:, 0] + 1
        after[:, 1] = state[:, 1] + sent.sum(1)
        after[:, 2] = state[:, 2] + collided.sum(1)
        after[:, 3:] = np.minimum(backlog - sent + arrived, self.max_backlog)
        reward = self.send_reward * sent.sum(1) + self.collision_reward * collided.sum(1)
        info = {"messages_sent": after[:, 1].astype(np.float64), "collisions": after[:, 2].astype(np.float64)}
        return Step(after, reward, after[:, 0] >= self.episode_limit, info)

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return (state[:, 3:] / self.max_backlog).astype(np.float32)

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        return seen[:, :, None] if self.observation == "local" else super().view(seen)

    @cached_property
    def independent_sets(self) -> BoolArray:
        """All sets of islands without neighbours in them, ``[M, N]``."""
        every: BoolArray = np.array(list(itertools.product([False, True], repeat=self.n_agents)))
        return every[~(every & (every @ self.neighbours)).any(1)]

    @cached_property
    def maximal_sets(self) -> BoolArray:
        """The independent sets to which no island can be added, ``[M, N]``."""
        sets = self.independent_sets
        return sets[(sets | (sets @ self.neighbours)).all(1)]

    def optimum(self) -> float:
        """``send_reward`` times :meth:`optimal_messages`: collisions never pay."""
        return self.send_reward * self.optimal_messages()

    def headline_optimum(self) -> float:
        return self.optimal_messages()

    def random_headline(self) -> float:
        """Each island's backlog is a Markov chain of its own, since whether others send does not depend on theirs."""
        success = 0.5 ** (1 + self.neighbours.sum(1))[:, None]  # an island sends and its neighbours wait
        law = np.zeros((self.n_agents, self.max_backlog + 1))
        law[:, 1] = 1.0
        sent = 0.0
        for _ in range(self.episode_limit):
            moved = success * law[:, 1:]
            sent += float(moved.sum())
            law[:, 1:] -= moved
            law[:, :-1] += moved
            arrived = self.arrival_rate * law[:, :-1]
            law[:, :-1] -= arrived
            law[:, 1:] += arrived
        return sent

    def optimal_messages(self) -> float:
        """Exact expected number of messages that the best policy sends in an episode."""
        return cached_optimum(self.messages_spec(),
                              lambda: float(self.message_values(self.episode_limit)[(1,) * self.n_agents]))

    def messages_spec(self) -> dict[str, Any]:
        """What decides how many messages can be sent: all but what is paid for them."""
        return {key: value for key, value in self.spec().items() if not key.endswith("_reward")}

    def message_values(self, steps: int) -> NDArray[np.float32]:
        """Expected messages that can still be sent in ``steps`` steps from each backlog.

        Dynamic programming over all ``(max_backlog + 1)^N`` backlogs; the array has one axis per
        island.  Sending from a maximal independent set is always among the best choices, since
        adding a sender that disturbs nobody costs nothing.  Ten islands take 240 MB an array and
        some minutes.
        """
        value = np.zeros((self.max_backlog + 1,) * self.n_agents, dtype=np.float32)
        for _ in range(steps):
            for axis in range(self.n_agents):  # expectation over arrivals, one island at a time
                line = np.moveaxis(value, axis, 0)
                for b in range(self.max_backlog):  # ascending: line[b + 1] is still the old value
                    line[b] += self.arrival_rate * (line[b + 1] - line[b])
            best = np.zeros_like(value)
            self._best_set(value, [list(np.flatnonzero(s)) for s in self.maximal_sets], best)
            value = best
        return value

    def _best_set(self, value: NDArray[np.float32], sets: list[list[int]], best: NDArray[np.float32]) -> None:
        """Raises ``best`` to what the given sets of senders reach; common members are applied once."""
        if [] in sets:
            np.maximum(best, value, out=best)
        for island in dict.fromkeys(s[0] for s in sets if s):
            moved = np.empty_like(value)
            source, target = np.moveaxis(value, island, 0), np.moveaxis(moved, island, 0)
            target[0] = source[0]
            np.add(source[:-1], 1.0, out=target[1:])
            self._best_set(moved, [s[1:] for s in sets if s and s[0] == island], best)

    def optimal_actions(self, state: IntArray) -> list[IntArray] | None:
        """Not tabulated: the finite-horizon values of all backlogs and times are too many."""
        return None

    def draw(self, state: IntArray) -> str:
        backlog = state[3:].reshape(self.rows, self.cols)
        head = f"step {state[0]}, {state[1]} sent, {state[2]} collided"
        return "\n".join([head, *(" - ".join(str(b) for b in row) for row in backlog)])

    def picture(self, state: IntArray, last: Last | None = None) -> Picture:
        few, many = len(str(self.episode_limit)), len(str(self.n_agents * self.episode_limit))
        # padded, so that all pictures are of one size
        caption = f"step {state[0]:>{few}}: {state[1]:>{many}} sent, {state[2]:>{many}} collided"
        cols = max(2.0 * self.cols, 0.5 * len(caption))
        left = cols / 2 - self.cols + 0.5
        place = [(2.0 * (i // self.cols) + 1.5, 2.0 * (i % self.cols) + left) for i in range(self.n_agents)]
        marks = [Mark("text", (0, (cols - 1) / 2), "ink", 0.5, text=caption)]
        marks += [Mark("line", place[i], "faint", 0.06, end=place[j])
                  for i, j in np.argwhere(np.triu(self.neighbours))]
        for i, at in enumerate(place):
            if last is not None and last[1][i] == SEND:  # who just sent: green, collided: red, had nothing: grey
                crowded = bool((last[1] == SEND) @ self.neighbours[i])
                colour = "faint" if last[0][3 + i] == 0 else "red" if crowded else "green"
                marks.append(Mark("disc", at, colour, 1.5))
            marks += [Mark("disc", at, "blue" if state[3 + i] else "wall", 1.1),
                      Mark("text", at, "paper", 0.6, text=str(state[3 + i]))]
        return Picture(2 * self.rows + 1, cols, marks)
