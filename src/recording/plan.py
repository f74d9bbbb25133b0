"""What a recording is to hold: which policies play, how often at random, and how its episodes are told apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import __version__
from ..errors import UserError
from ..utils import checkpoint
from ..utils.files import named_path, reason

STREAM = 1_000_005  # keeps these episodes apart from everything else drawn from the seed
SUFFIXES = (".npz", ".mapped")


class RecordSettings(Protocol):
    """What a plan reads of a run's settings, ours or EPyMARL's."""

    @property
    def name(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def checkpoint_path(self) -> str: ...
    @property
    def common_reward(self) -> bool: ...
    @property
    def reward_scalarisation(self) -> str: ...
    @property
    def test_greedy(self) -> bool: ...
    @property
    def record_to(self) -> str: ...
    @property
    def record_from(self) -> str: ...
    @property
    def record_steps(self) -> list[int]: ...
    @property
    def record_epsilons(self) -> list[float]: ...
    @property
    def record_episodes(self) -> int: ...


@dataclass(frozen=True)
class Member:
    """One policy of the mixture.

    Attributes:
        name: as in ``qmix@200000 eps=0.1``.
        model: the checkpoint of its controller; None for the untrained one.
        epsilon: probability of a uniformly random available action, for each agent and step.
        digest: of the checkpoint's files.
    """

    name: str
    model: Path | None
    epsilon: float
    digest: str

    def facts(self) -> dict[str, Any]:
        """What identifies it, without the place where its files happen to lie."""
        return {"name": self.name, "epsilon": self.epsilon, "digest": self.digest,
                "model": None if self.model is None else f"{self.model.parent.name}/{self.model.name}"}


class RecordingPlan:
    """The settings ``record_*`` of a run, checked.

    The members of the mixture are all pairs of a checkpoint and an epsilon; episode k is played by
    member k mod M, so that a recording that was cut short is still a mixture.

    Args:
        args: the run's configuration.

    Attributes:
        target: the file or folder to write.
        episodes: how many.
        members: the mixture.

    Raises:
        UserError: a setting is missing, wrong, or contradicts another; a checkpoint is not there.
    """

    def __init__(self, args: RecordSettings) -> None:
        self.args = args
        if not args.record_to.endswith(SUFFIXES):
            raise UserError(f"runner=record writes to the file record_to=<name>.npz, not to '{args.record_to}'; or to "
                            "a folder, record_to=<name>.mapped.")
        if args.checkpoint_path:
            raise UserError("runner=record takes its policies from record_from, not from checkpoint_path.")
        self.target = named_path(args.record_to)
        self.episodes: int = args.record_episodes
        self.members = [Member(f"{args.name}@{'untrained' if model is None else model.name} eps={epsilon:g}", model,
                               epsilon, "" if model is None else _digest(model))
                        for model in self._models() for epsilon in self._epsilons()]

    def _models(self) -> list[Path | None]:
        steps = self.args.record_steps
        for step in steps:
            if type(step) is not int or step < 1:
                raise UserError(f"record_steps must be a list of whole numbers of at least 1, not {steps!r}.")
        if not self.args.record_from:
            if steps:
                raise UserError(f"record_steps={steps} needs record_from=<folder of a run's models>.")
            return [None]
        found = [checkpoint.find(self.args.record_from, step, "record_from") for step in steps or [0]]
        for i, model in enumerate(found):
            if model in found[:i]:
                raise UserError(f"record_steps={steps} means the checkpoint {model} twice; each takes the nearest "
                                "that there is.")
        return list(found)

    def _epsilons(self) -> list[float]:
        epsilons = self.args.record_epsilons
        right = all(type(e) in (int, float) and 0 <= e <= 1 for e in epsilons)
        if not epsilons or not right or len(set(epsilons)) < len(epsilons):
            raise UserError(f"record_epsilons must be a list of different numbers from 0 to 1, not {epsilons!r}.")
        return [float(epsilon) for epsilon in epsilons]

    def seeds(self, episode: int) -> np.random.SeedSequence:
        """What one episode is drawn from, which depends on nothing but the seed and its number."""
        return np.random.SeedSequence([self.args.seed, STREAM, episode])

    def meta(self, spec: dict[str, Any], rules: str = "") -> dict[str, Any]:
        """The provenance of the recording, plain JSON values; equal for equal settings, however many episodes."""
        facts = {"format": "recording", "version": __version__, "spec": spec, "seed": self.args.seed,
                 "common_reward": self.args.common_reward, "reward_scalarisation": self.args.reward_scalarisation,
                 "test_greedy": self.args.test_greedy, "members": [member.facts() for member in self.members],
                 "behaviours": [member.name for member in self.members], **({"rules": rules} if rules else {})}
        plain: dict[str, Any] = json.loads(json.dumps(facts))
        return plain


def _digest(model: Path) -> str:
    """Over the contents of a checkpoint's files.

    Raises:
        UserError: one of them cannot be read.
    """
    total = hashlib.sha256()
    try:
        for file in sorted(model.iterdir()):
            total.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    except OSError as error:
        raise UserError(f"the checkpoint {model} cannot be read ({reason(error)}).") from None
    return total.hexdigest()
