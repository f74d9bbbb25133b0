"""One agent's policy, to be run anywhere: this file, ``policy_file.py``, ``key.py`` and NumPy are all it needs.

    policy = Policy.load("agent_0.npz")
    policy.agree(seed=7)                            # the only thing the agents share, once
    action = policy.act(state, episode=0, step=0)   # no word to or from the other agents

In every step all agents draw the same agreement key from the shared seed, so that they pick the
same entry of the team's pool of joint actions, and each reads its own part of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from ..agreement.key import AgreementKey, PolicyError, gaussian, pick
    from .policy_file import FORMAT, digest, read
except ImportError:  # exported: the files lie beside this one
    from key import AgreementKey, PolicyError, gaussian, pick  # type: ignore[import-not-found, no-redef]
    from policy_file import FORMAT, digest, read  # type: ignore[import-not-found, no-redef]

__all__ = ["ENCODERS", "FORMAT", "AgreementKey", "Policy", "PolicyError", "digest"]

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def perceptron(x: NDArray[np.float32], layers: Layers) -> NDArray[np.float32]:
    """A vector through dense layers with rectifiers between them."""
    for i, (weight, bias) in enumerate(layers):
        x = (np.maximum(x, 0) if i else x) @ weight + bias
    return x


class Memoryless:
    """What an agent makes of what it sees at one step, and remembers from one to the next (here: nothing).

    Args:
        meta: plain facts of the policy.
        arrays: the encoder's own parameters, by name.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self._levels, self._observed = int(meta["state_levels"]), int(meta["n_seen"])

    def begin(self) -> None:
        """An episode begins."""

    def step(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is seen, ``[S]``, and behind it own last action and number, if they are seen, to features ``[F]``."""
        return self.spread(seen)

    def spread(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same with one-hot vectors, where that is how training saw it."""
        if not self._levels:
            return seen
        level = np.clip(np.rint(seen[: self._observed]).astype(np.int64), 0, self._levels - 1)
        return np.concatenate([np.eye(self._levels, dtype=np.float32)[level].ravel(), seen[self._observed:]])


class Gru(Memoryless):
    """A dense layer, a rectifier and a gated recurrent unit, whose hidden state is what is remembered."""

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(meta, arrays)
        self._layers = {name: (arrays[f"{name}.w"], arrays[f"{name}.b"]) for name in ("first", "inward", "back")}
        self.begin()

    def begin(self) -> None:
        self._hidden = np.zeros(len(self._layers["back"][0]), dtype=np.float32)

    def step(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        first, inward, back = (self._layers[name] for name in ("first", "inward", "back"))
        x = np.maximum(self.spread(seen) @ first[0] + first[1], 0)
        reset, update, new = np.split(x @ inward[0] + inward[1], 3)
        old_reset, old_update, old = np.split(self._hidden @ back[0] + back[1], 3)
        new = np.tanh(new + _sigmoid(reset + old_reset) * old)
        self._hidden = new + _sigmoid(update + old_update) * (self._hidden - new)
        return self._hidden


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    half = np.float32(0.5)
    y: NDArray[np.float32] = half * np.tanh(half * x) + half  # never overflows
    return y


class Conventions:
    """Policies of this agent, one for each convention of the team, of which a key means one for a whole episode.

    Args:
        meta: plain facts of the policy.
        arrays: layers; ``convention.law`` says how likely a key means each convention.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self._greedy = bool(meta["greedy"])
        self._arrays = {name.removeprefix("convention."): array for name, array in arrays.items()
                        if name.startswith("convention.")}

    def logits(self, x: NDArray[np.float32], key: NDArray[np.float64]) -> NDArray[np.float32]:
        """Features ``[F]`` to logits ``[A]`` of the own actions, under the convention that the key ``[1, 1]`` means."""
        of, law = self._arrays, self._arrays["law"]
        entry = int(law.argmax()) if self._greedy else int(pick(law[None], key[:, 0])[0])
        h = np.maximum((x @ of["first.w"] + of["first.b"]) * (1 + of["scale"][entry]) + of["shift"][entry], 0)
        h = np.maximum(h @ of["middle.w"] + of["middle.b"], 0)
        logits: NDArray[np.float32] = h @ of["last.w"] + of["last.b"][entry]
        return logits


class Habits:
    """What this agent did at what it saw in an episode, so that it does not go round in circles.

    The counterpart of ``unworn`` in training: actions done least often at what is seen now, counted in units of
    ``limit``.

    Args:
        limit: how often the same is done at a sight before anything else is; 0: no limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.begin()

    def begin(self) -> None:
        """An episode begins: nothing has been done yet."""
        self._done: dict[bytes, NDArray[np.int64]] = {}

    def unworn(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of the available actions ``[A]`` that the agent does at what it observes now, ``[S]``."""
        done = self._done.get(_sight(seen))
        if not self._limit or done is None:
            return mask
        worn = done // self._limit
        least: NDArray[np.bool_] = mask & (worn <= worn[mask].min())
        return least

    def add(self, seen: NDArray[np.float32], mask: NDArray[np.bool_], action: int) -> None:
        """The agent has done this at what it observes."""
        if self._limit:
            self._done.setdefault(_sight(seen), np.zeros(len(mask), dtype=np.int64))[action] += 1


def _sight(seen: NDArray[np.float32]) -> bytes:
    return (seen + np.float32(0)).tobytes()  # -0.0 looks like 0.0


#: by the name in a policy file; each is the counterpart of one in training
ENCODERS: dict[str, type[Memoryless]] = {"memoryless": Memoryless, "gru": Gru}


class Policy:
    """One agent.

    Args:
        meta: plain facts: ``agent``, ``n_actions``, ``pool_size``, ``key``, ... (see ``export.py``).
        arrays: the networks' layers, ``<net>.w<i>`` and ``<net>.b<i>``.

    Attributes:
        meta: as given.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self.meta = dict(meta)
        self._layers = {name: _layers(arrays, name) for name in ("entries", "shares", "key", "head")}
        self._conventions = Conventions(meta, arrays) if meta.get("conventions") else None
        own = {name.removeprefix("encoder."): array for name, array in arrays.items() if name.startswith("encoder.")}
        self._encoder = ENCODERS[meta["encoder"]](meta, own)
        self._sees_own_action, self._sees_number = (bool(meta.get(key)) for key in ("obs_last_action", "obs_agent_id"))
        self._habits = Habits(int(meta.get("repeat_limit", 0)))
        self._remembers = meta["encoder"] != "memoryless" or self._sees_own_action or bool(meta.get("repeat_limit"))
        self._next: tuple[int, int] | None = None  # the episode and step that come next
        self._last = np.zeros(meta["n_actions"], dtype=np.float32)  # own last action, one-hot
        self._key: AgreementKey | None = None

    @staticmethod
    def load(path: str | Path) -> Policy:
        """Reads a policy file; nothing in it is ever executed.

        Raises:
            PolicyError: the file is missing, truncated, altered, or of another format.
        """
        meta, arrays = read(path)
        if meta["encoder"] not in ENCODERS:
            raise PolicyError(f"{path} needs the encoder '{meta['encoder']}', which this loader does not have.")
        return _able(meta, arrays, path)

    def agree(self, seed: int) -> str:
        """Takes the shared seed; returns its commitment, which must be the same for all agents."""
        self._key = AgreementKey(seed, self.meta["key_per"])
        return self._key.commitment()

    def act(self, seen: NDArray[Any], available: NDArray[Any] | None = None, episode: int = 0, step: int = 0) -> int:
        """This agent's action.

        Args:
            seen: the state ``[S]`` (or the own observation, where ``meta["input"]`` is ``obs``).
            available: mask ``[A]`` of the own actions; all by default.
            episode, step: numbers that all agents agree on; they decide the key.  An agent that remembers is asked
                once for every step of an episode, from 0, where it forgets what was before.

        Raises:
            PolicyError: the seed is missing, what is seen or available makes no sense, or a step was left out.
        """
        if self._key is None:
            raise PolicyError("the agents have no shared seed yet; call agree(seed) first.")
        if np.shape(seen) != (self.meta["n_seen"],):
            raise PolicyError(f"agent {self.meta['agent']} needs {self.meta['n_seen']} numbers, "
                              f"but sees an array of shape {np.shape(seen)}.")
        if not np.isfinite(seen).all():
            raise PolicyError(f"agent {self.meta['agent']} sees a number that is not finite.")
        mask = np.ones(self.meta["n_actions"]) if available is None else np.asarray(available)
        if mask.shape != (self.meta["n_actions"],) or not mask.any():
            raise PolicyError(f"agent {self.meta['agent']} needs a mask of its {self.meta['n_actions']} actions, "
                              f"at least one of them available, not {mask.tolist()}.")
        own = np.asarray(seen, dtype=np.float32)
        x = self._encoder.step(self._look(own, episode, step))
        key = self._key.draw([episode], step, self.meta["key_numbers"])
        logits = self._entry_logits(x, key) if self._conventions is None else self._conventions.logits(x, key)
        allowed = self._habits.unworn(own, mask.astype(bool))
        far = np.finfo(np.float32).max / 2  # below what infinite logits become, so that no forbidden action wins
        action = int(np.where(allowed, np.clip(logits, -far, far), np.finfo(np.float32).min).argmax())
        self._habits.add(own, allowed, action)
        self._last = (np.arange(len(mask)) == action).astype(np.float32)
        self._next = (episode, step + 1)
        return action

    def _look(self, seen: NDArray[np.float32], episode: int, step: int) -> NDArray[np.float32]:
        """What the encoder gets at a step; an episode begins at step 0."""
        if step == 0:
            self._encoder.begin()
            self._habits.begin()
            self._last = np.zeros_like(self._last)
        elif (episode, step) != self._next and self._remembers:
            raise PolicyError(f"agent {self.meta['agent']} remembers and cannot act at step {step} of episode "
                              f"{episode}: it must be asked once for every step, from 0 on.")
        parts = [seen, *([self._last] if self._sees_own_action else [])]
        if self._sees_number:
            parts.append((np.arange(self.meta["n_agents"]) == self.meta["agent"]).astype(np.float32))
        return np.concatenate(parts)

    def _entry_logits(self, x: NDArray[np.float32], key: NDArray[np.float64]) -> NDArray[np.float32]:
        """Logits of the own actions under the entry that the key means."""
        entries = perceptron(x, self._layers["entries"]).reshape(self.meta["pool_size"], -1)
        return perceptron(entries[self._choose(x, entries, key)], self._layers["head"])

    def _choose(self, x: NDArray[np.float32], entries: NDArray[np.float32], key: NDArray[np.float64]) -> int:
        """The number of the entry that the key means."""
        logits = perceptron(x, self._layers["shares"]).astype(np.float64)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        used = (shares >= self.meta["entry_floor"]) | (shares == shares.max())
        if self.meta["greedy"]:
            return int(shares.argmax())
        if self.meta["key"] == "prior":
            return int(pick((shares * used)[None], key[:, 0])[0])
        known = np.concatenate([x, gaussian(key)[0].astype(np.float32)])
        read = perceptron(known, self._layers["key"])
        if self.meta["key"] == "cvae_vector":
            return int(np.where(used, ((entries - read) ** 2).sum(1), np.inf).argmin())
        return int(np.where(used, read, -np.inf).argmax())


def _layers(arrays: Mapping[str, NDArray[Any]], net: str) -> Layers:
    count = sum(name.startswith(f"{net}.w") for name in arrays)
    return [(arrays[f"{net}.w{i}"], arrays[f"{net}.b{i}"]) for i in range(count)]


def _able(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], path: str | Path) -> Policy:
    """The policy, after it has acted once on trial: a digest keeps accidents away, not people.

    Raises:
        PolicyError: what the file holds does not go together.
    """
    try:
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("a number is not finite")
        trial = Policy(meta, arrays)
        trial.agree(0)
        trial.act(np.zeros(meta["n_seen"], dtype=np.float32))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError) as error:
        raise PolicyError(f"{path} holds no policy that can act ({error}); export it again.") from None
    return Policy(meta, arrays)


def main(argv: Sequence[str]) -> int:
    """Acts line by line: ``python policy.py agent_0.npz``, JSON on standard input and output.

    The first line is ``{"seed": 7}``, answered by ``{"agent": 0, "commitment": "..."}``; every other
    line, ``{"seen": [...], "available": [...], "episode": 0, "step": 0}``, is answered by an action.

    Returns:
        Exit status: 0 at the end of the input, 2 after a mistake, told on standard error.
    """
    try:
        policy = Policy.load(argv[0])
        for line in sys.stdin:
            asked = json.loads(line)
            if "seed" in asked:
                answer: Any = {"agent": policy.meta["agent"], "commitment": policy.agree(asked["seed"])}
            else:
                answer = policy.act(np.asarray(asked["seen"], dtype=np.float32), asked.get("available"),
                                    asked["episode"], asked["step"])
            print(json.dumps(answer), flush=True)
    except PolicyError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except (IndexError, ValueError, KeyError, TypeError, RecursionError) as error:
        print(f"Error: this is not understood ({error}); see the description of main in {__file__}.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
