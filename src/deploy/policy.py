"""One agent's policy, to be run anywhere: this file, those beside it that it imports, and NumPy are all it needs.

    policy = Policy.load("agent_0.npz")
    policy.agree(seed=7)                            # the only thing the agents share, once
    action = policy.act(state, episode=0, step=0)   # no word to or from the other agents

Agents of policy agreement draw in every step the same agreement key from the shared seed, so that they pick the
same entry of the team's pool of joint actions, and each reads its own part of it.  Others draw numbers of their own
from it, or none.  Those that act one after the other are told what those before them do: ``act(..., before=[2, 0])``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from ..agreement.key import AgreementKey, PolicyError, gaussian, pick
    from .heads import HEADS, drawn, masked
    from .policy_file import FORMAT, digest, kind_of, read, short
    from .sight import ENCODERS, Habits, Memoryless
except ImportError:  # exported: the files lie beside this one
    from heads import HEADS, drawn, masked  # type: ignore[import-not-found, no-redef]
    from key import AgreementKey, PolicyError, gaussian, pick  # type: ignore[import-not-found, no-redef]
    from policy_file import FORMAT, digest, kind_of, read, short  # type: ignore[import-not-found, no-redef]
    from sight import ENCODERS, Habits, Memoryless  # type: ignore[import-not-found, no-redef]

__all__ = ["ENCODERS", "FORMAT", "AgreementKey", "Habits", "Memoryless", "Policy", "PolicyError", "digest", "gaussian",
           "pick"]


class Policy:
    """One agent.

    Args:
        meta: plain facts: ``agent``, ``n_actions``, ``pool_size``, ``key``, ... (see ``export.py``).
        arrays: the networks' layers, ``<net>.w<i>`` and ``<net>.b<i>``.

    Attributes:
        meta: as given.
        logits: what the last action was chosen by, ``[A]``; those of forbidden actions are the lowest there are.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self.meta = dict(meta)
        self._head = HEADS[kind_of(meta)](meta, arrays)
        own = {name.removeprefix("encoder."): array for name, array in arrays.items() if name.startswith("encoder.")}
        self._encoder = ENCODERS[meta["encoder"]](meta, own)
        self._sees_own_action, self._sees_number = (bool(meta.get(key)) for key in ("obs_last_action", "obs_agent_id"))
        self._habits = Habits(int(meta.get("repeat_limit", 0)))
        self._remembers = meta["encoder"] != "memoryless" or self._sees_own_action or bool(meta.get("repeat_limit"))
        self._next: tuple[int, int] | None = None  # the episode and step that come next
        self._last = np.zeros(meta["n_actions"], dtype=np.float32)  # own last action, one-hot
        actions = np.arange(meta["n_actions"])
        self._own = np.isin(actions, meta.get("own_actions", actions))  # files of before do not say which it has
        self._key: AgreementKey | None = None
        self.logits = np.zeros(meta["n_actions"], dtype=np.float32)

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

    def act(self, seen: NDArray[Any], available: NDArray[Any] | None = None, episode: int = 0, step: int = 0,
            before: Sequence[int] = ()) -> int:
        """This agent's action.

        Args:
            seen: the state ``[S]`` (or the own observation, where ``meta["input"]`` is ``obs``; one of less than S
                numbers, as ``meta["own_seen"]`` says, ends with zeros).
            available: mask ``[A]``; by default all actions that this agent has.  One that can do nothing does 0, as
                in training.
            episode, step: numbers that all agents agree on; they decide the key.  An agent that remembers is asked
                once for every step of an episode, from 0, where it forgets what was before.
            before: what the agents before this one do in this step, where ``meta["before"]`` says that it must know;
                otherwise it is not looked at.

        Raises:
            PolicyError: the seed is missing, what is seen or available makes no sense, a step was left out, or the
                actions of agents before this one are missing.
        """
        if self._key is None and self.meta["key_numbers"]:
            raise PolicyError("the agents have no shared seed yet; call agree(seed) first.")
        try:
            own = np.asarray(seen, dtype=np.float32)
        except (TypeError, ValueError):  # texts, or lists of different lengths
            raise PolicyError(f"agent {self.meta['agent']} needs {self.meta['n_seen']} numbers, "
                              f"but sees {short(seen, 60)}.") from None
        if own.shape != (self.meta["n_seen"],):
            raise PolicyError(f"agent {self.meta['agent']} needs {self.meta['n_seen']} numbers, "
                              f"but sees an array of shape {own.shape}.")
        if not np.isfinite(own).all():
            raise PolicyError(f"agent {self.meta['agent']} sees a number that is not finite.")
        mask = self._own if available is None else self._mask(available)
        if not mask.any():
            mask = np.arange(len(mask)) == 0
        known = self._known(before)
        x = self._encoder.step(self._look(own, episode, step))
        key = np.zeros((1, 0)) if self._key is None else self._key.draw([episode], step, self.meta["key_numbers"])
        allowed = self._head.passed(x, self._habits.unworn(own, mask.astype(bool)))
        self.logits = masked(self._head.logits(x, key, known), allowed)
        action = int(self.logits.argmax())
        if self.meta.get("draws"):
            action = drawn(self.logits, key[:, self.meta["agent"]], self.meta)
        self._habits.add(own, allowed, action)
        self._last = (np.arange(len(mask)) == action).astype(np.float32)
        self._next = (episode, step + 1)
        return action

    def _mask(self, available: NDArray[Any]) -> NDArray[Any]:
        """The actions that can be chosen now, as somebody says.

        Raises:
            PolicyError: it is not a number or truth value for each action.
        """
        try:
            mask = np.asarray(available)
        except ValueError:  # lists of different lengths
            mask = np.zeros(0)
        count = self.meta["n_actions"]
        if mask.shape != (count,) or mask.dtype.kind not in "biuf" or not np.isfinite(mask).all():
            raise PolicyError(f"agent {self.meta['agent']} needs a mask of its {count} actions, 0 or 1 for each, "
                              f"not {short(available, 60)}.")
        return mask

    def _known(self, before: Sequence[int]) -> list[int]:
        """The actions of earlier agents, if this one must know them.

        Raises:
            PolicyError: they are missing, or no actions.
        """
        count, n_actions = self.meta.get("before", 0), self.meta["n_actions"]
        if not count:
            return []
        try:
            known = np.asarray(before)
        except ValueError:  # lists of different lengths
            known = np.zeros(0)
        if known.shape != (count,) or known.dtype.kind not in "iu" or not (0 <= known.min() <= known.max() < n_actions):
            raise PolicyError(f"agent {self.meta['agent']} acts after the {count} before it and needs their actions of "
                              f"this step, before=[{', '.join(f'a{i}' for i in range(min(count, 3)))}"
                              f"{', ...' if count > 3 else ''}], each in 0 .. {n_actions - 1}, "
                              f"not {short(before, 60)}.")
        return [int(action) for action in known]

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
        trial.act(np.zeros(meta["n_seen"], dtype=np.float32), before=[0] * meta.get("before", 0))
        if trial.logits.shape != (meta["n_actions"],):
            raise ValueError(f"its networks answer with an array of shape {trial.logits.shape}")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError) as error:
        raise PolicyError(f"{path} holds no policy that can act ({short(error, 100)}); export it again.") from None
    return Policy(meta, arrays)


def main(argv: Sequence[str]) -> int:
    """Acts line by line: ``python policy.py agent_0.npz``, JSON on standard input and output.

    The first line is ``{"seed": 7}``, answered by ``{"agent": 0, "commitment": "..."}``; every other
    line, ``{"seen": [...], "available": [...], "episode": 0, "step": 0, "before": []}``, is answered by an action
    (``available`` and ``before`` may be left out).

    Returns:
        Exit status: 0 at the end of the input or when nobody reads answers any more, 2 after a mistake, told on
        standard error.
    """
    try:
        policy = Policy.load(argv[0])
        for line in sys.stdin:
            asked = json.loads(line)
            if "seed" in asked:
                answer: Any = {"agent": policy.meta["agent"], "commitment": policy.agree(asked["seed"])}
            else:
                answer = policy.act(np.asarray(asked["seen"], dtype=np.float32), asked.get("available"),
                                    asked["episode"], asked["step"], asked.get("before", ()))
            print(json.dumps(answer), flush=True)
    except PolicyError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever asked is gone; Python would complain once more when it closes the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (IndexError, ValueError, KeyError, TypeError, RecursionError) as error:
        print(f"Error: this is not understood ({error}); see the description of main in {__file__}.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
