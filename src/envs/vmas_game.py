"""Scenarios of VMAS as games."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .epymarl_keys import VMAS
from .external import ExternalGame
from .registry import REGISTRY
from .vmas_crowd import VmasCrowd, VmasWorld


@REGISTRY.register("vmas")
class VmasGame(ExternalGame):
    """A scenario of VMAS, the Vectorized Multi-Agent Simulator, with discrete actions.

    All episodes of a batch are simulated at once, so that many cost little more than one.

    Args:
        key: a scenario of VMAS (``transport``), in EPyMARL's spelling, too (``vmas-transport``).
        time_limit: an episode is cut off after so many steps; None: after ``kwargs.max_steps``.
        kwargs: arguments of the scenario, such as ``{n_agents: 3}``.

    Raises:
        UserError: there is no such scenario, it cannot be built with these arguments, its agents play against each
            other, or nothing says how long its episodes are.
    """

    name = "vmas"

    def __init__(self, key: str, time_limit: int | None = None, kwargs: dict[str, Any] | None = None) -> None:
        self._scenario = key.removeprefix(VMAS)
        super().__init__(self._scenario, time_limit, kwargs)

    def world(self) -> VmasWorld:
        return VmasWorld(self._scenario, self.kwargs)

    def crowd(self, count: int) -> VmasCrowd:
        return VmasCrowd(self._scenario, count, self.kwargs)

    @classmethod
    def module_of_key(cls, key: str) -> str:
        return "vmas"

    def modules(self) -> list[str]:
        return ["vmas"]

    @classmethod
    def label(cls, env_args: Mapping[str, Any]) -> str:
        return super().label({**env_args, "key": VMAS + str(env_args.get("key", "")).removeprefix(VMAS)})
