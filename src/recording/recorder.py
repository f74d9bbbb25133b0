"""Recording from begin to end, whichever host the controller and the environment come from."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..data.dataset import OfflineDataset
from ..errors import UserError
from ..utils.process import StopRequest
from ..utils.progress import counting
from .parts import SIZE, PartFiles
from .plan import RecordingPlan
from .player import Actor, Arrays, Player

Mac = TypeVar("Mac", bound=Actor)


class Recorder:
    """Plays the episodes of a plan that are not on the disk yet, and puts all together.

    Args:
        plan: what is wanted.
        spec: identity of the game, part of the provenance.
        console: takes messages.
        rules: digest of the game's rules, part of it, too, where they are known.

    Raises:
        UserError: what was recorded under that name before does not belong to this plan.
    """

    def __init__(self, plan: RecordingPlan, spec: dict[str, Any], console: logging.Logger, rules: str = "") -> None:
        self.plan, self.console = plan, console
        self.parts = PartFiles(plan.target, plan.meta(spec, rules))

    def record(self, player: Player, mac: Mac, load: Callable[[Mac, Path], None]) -> OfflineDataset:
        """Records; a recording that is complete already is left as it is.

        Args:
            player: plays episodes.
            mac: the untrained controller.
            load: gives a copy of it the weights of a checkpoint.

        Raises:
            UserError: a checkpoint does not fit, the disk is full, or the complete recording has another length.
            KeyboardInterrupt: SIGINT or SIGTERM came; what was played is on the disk.
        """
        whole = self.parts.whole
        if whole is not None and whole.n_episodes != self.plan.episodes:
            raise UserError(f"{self.plan.target} is complete with {whole.n_episodes} episodes, not record_episodes="
                            f"{self.plan.episodes}; choose another record_to, or delete it.")
        if whole is None:
            macs = self._macs(mac, load)
            self._play(player, macs)
            whole = self.parts.merge()
        self.console.info("recording: %s, %d episodes, mean return %.4f, digest %s", self.plan.target,
                          whole.n_episodes, whole.returns.mean(), whole.digest[:12])
        for number, member in enumerate(self.plan.members):
            returns = whole.returns[whole.behaviour == number]
            if len(returns):
                self.console.info("  %-32s %6d episodes, mean return %.4f", member.name, len(returns), returns.mean())
        return whole

    def _macs(self, mac: Mac, load: Callable[[Mac, Path], None]) -> list[Mac]:
        """A controller for every member; members of the same checkpoint share one."""
        loaded: dict[Path | None, Mac] = {None: mac}
        for member in self.plan.members:
            if member.model is not None and member.model not in loaded:
                loaded[member.model] = copy.deepcopy(mac)
                load(loaded[member.model], member.model)
        return [loaded[member.model] for member in self.plan.members]

    def _play(self, player: Player, macs: Sequence[Actor]) -> None:
        plan, parts, stop = self.plan, self.parts, StopRequest()
        if parts.episodes > plan.episodes:
            raise UserError(f"{parts.folder} holds {parts.episodes} episodes already, more than record_episodes="
                            f"{plan.episodes}.")
        if parts.episodes:
            self.console.info("going on at episode %d of %d", parts.episodes, plan.episodes)
        played: list[Arrays] = []
        with stop.listening(), counting(f"recording {plan.target.name}", plan.episodes, "episodes", parts.episodes,
                                        self.console.info) as progress:
            while parts.episodes + len(played) < plan.episodes and not stop.made:
                number = parts.episodes + len(played)
                who = number % len(macs)
                episode = player.play(macs[who], plan.members[who].epsilon, plan.seeds(number), number)
                played.append({**episode, "behaviour": np.array(who)})
                if len(played) == SIZE:
                    parts.add(played)
                    played = []
                progress.at(number + 1)
            if played:
                parts.add(played)
        if stop.made:
            self.console.warning("interrupted after %d of %d episodes, which are in %s; the same command goes on",
                                 parts.episodes, plan.episodes, parts.folder)
            raise KeyboardInterrupt
