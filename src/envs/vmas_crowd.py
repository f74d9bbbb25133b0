"""The scenarios of VMAS (Vectorized Multi-Agent Simulator), many episodes of one at a time."""

from __future__ import annotations

import importlib
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.registry import nearest
from .calls import called, not_built
from .epymarl_keys import VMAS
from .game import IntArray
from .playing import Crowd
from .suitability import check_team
from .trust import missing
from .world import Outcome, Seats, Shown, World, check_finite, numbers_of

#: arguments of ``vmas.make_env`` that are decided here, and the one of a scenario that names a file to read
OURS = ("scenario", "num_envs", "device", "continuous_actions", "multidiscrete_actions", "wrapper", "wrapper_kwargs",
        "seed", "dict_spaces", "grad_enabled", "terminated_truncated", "map_file_path")


class VmasCrowd(Crowd):
    """Environments of one scenario with discrete actions, which VMAS moves all at once, on the CPU.

    Observations are padded with zeros to one size; the state is all of them, one after another.  Actions and their
    numbers are VMAS's own (0 is to do nothing).

    Args:
        scenario: one of VMAS's own.
        count: B.
        kwargs: arguments of the scenario; ``max_steps`` cuts episodes off; ``render_mode`` is ours.

    Attributes:
        env: VMAS's environment.
        seats: the agents' spaces.

    Raises:
        UserError: VMAS is missing, there is no such scenario, it cannot be built, or its agents are opponents.
    """

    def __init__(self, scenario: str, count: int, kwargs: Mapping[str, Any]) -> None:
        self.key, self.count = f"{VMAS}{scenario}", count
        self.playing: set[int] = set()
        self.render_mode = kwargs.get("render_mode")
        self._torch: Any = importlib.import_module("torch")
        self._luck = _luck_of(self._torch, 0)
        self.env = self._built(scenario, {name: value for name, value in kwargs.items() if name != "render_mode"})
        names = [agent.name for agent in self.env.agents]
        check_team(self.key, self.env, names)
        if any("_red_" in name for name in names) and any("_blue_" in name for name in names):
            raise UserError(f"the red and the blue agents of {self.key} play against each other; leave "
                            "env_args.kwargs.ai_red_agents and ai_blue_agents so that one side plays by itself.")
        with self._own_luck():
            sizes = [_flat(seen).shape[1] for seen in self.env.reset(seed=0)]
        self.seats = Seats(self.key, names, [spaces.Box(-np.inf, np.inf, (size,)) for size in sizes],
                           [spaces.Discrete(int(space.n)) for space in self.env.action_space])
        self._n = np.array([int(space.n) for space in self.env.action_space])

    def _built(self, scenario: str, kwargs: Mapping[str, Any]) -> Any:
        vmas = _vmas(self.key)
        known = [*vmas.scenarios, *vmas.mpe_scenarios, *vmas.debug_scenarios]
        if scenario not in known:  # VMAS would look for a file of that name
            raise UserError(f"VMAS has no scenario '{scenario}'{nearest(scenario, known)}; it has: "
                            f"{', '.join(sorted(vmas.scenarios))}.")
        if taken := [name for name in kwargs if name in OURS]:
            raise UserError(f"env_args.kwargs.{taken[0]} of {self.key} cannot be set: VMAS plays as many environments "
                            "as there are episodes here, on the CPU, with discrete actions, and reads no files.")
        try:
            with warnings.catch_warnings(), self._own_luck():
                warnings.filterwarnings("error", "Scenario kwargs")  # that it does not know
                return vmas.make_env(scenario, self.count, continuous_actions=False, seed=0, device="cpu",
                                     terminated_truncated=True, **kwargs)
        except Exception as error:  # whatever a scenario makes of arguments that it does not like
            raise not_built(self.key, kwargs, error) from error

    @contextmanager
    def _own_luck(self) -> Iterator[None]:
        """All environments of VMAS draw from one stream: here each crowd has its own, and nobody else's is touched."""
        shared = _vmas(self.key).simulator.environment.Environment.vmas_random_state
        before, everybodys = [*shared], _luck_now(self._torch)
        shared[:] = self._luck
        try:
            yield
        finally:
            self._luck, shared[:] = [*shared], before
            self._torch.random.set_rng_state(everybodys.torch)  # after an error VMAS does not
            np.random.set_state(everybodys.numpy)
            random.setstate(everybodys.python)

    def reset(self, seed: int) -> list[Shown]:
        """Begins an episode in each; the seed decides all of them."""
        with self._own_luck():
            observations = called(self.key, "reset(seed=...)", self.env.reset, seed=seed)
        self.playing = set(range(self.count))
        return self._shown(observations)

    def step(self, actions: Mapping[int, IntArray]) -> dict[int, Outcome]:
        """Plays a joint action at each of the places; elsewhere nobody does anything."""
        chosen = np.zeros((self.count, len(self._n)), dtype=np.int64)
        for place, joint in actions.items():
            chosen[place] = joint
        for place, agent in np.argwhere((chosen < 0) | (chosen >= self._n)):
            self.seats.action(int(agent), int(chosen[place, agent]))  # says what is wrong
        moves = [self._torch.from_numpy(chosen[:, i:i + 1].copy()) for i in range(len(self._n))]
        with self._own_luck():
            observations, paid, terminated, truncated, infos = called(self.key, "step()", self.env.step, moves)
        shown, facts = self._shown(observations), self._facts(infos)
        rewards = np.stack([each.numpy().reshape(self.count) for each in paid], 1).astype(np.float64)
        for place in actions:
            if not np.isfinite(rewards[place]).all():
                raise UserError(f"{self.key} pays {rewards[place].tolist()}; rewards must be finite numbers.")
        ended, cut = terminated.numpy(), truncated.numpy()
        return {place: Outcome(shown[place], rewards[place], bool(ended[place]), bool(cut[place] and not ended[place]),
                               None, {name: float(values[place]) for name, values in facts.items()})
                for place in actions}

    def _shown(self, observations: list[Any]) -> list[Shown]:
        obs = np.zeros((self.count, len(self._n), self.seats.obs_dim), dtype=np.float32)
        for agent, seen in enumerate(observations):
            flat = _flat(seen)
            obs[:, agent, :flat.shape[1]] = flat
            # what goes on where an episode is over does not count
            check_finite(self.key, f"shows '{self.seats.agents[agent]}'", flat[[*self.playing]])
        return [Shown(each.ravel(), each, self.seats.possible) for each in obs]

    def _facts(self, infos: list[Mapping[str, Any]]) -> dict[str, NDArray[np.float32]]:
        """The numbers that the scenario says of each agent, each ``[B]``, by names that Sacred's databases take."""
        found = {f"{name}_{key}": value.numpy().reshape(self.count)
                 for name, info in zip(self.seats.agents, infos, strict=True) for key, value in info.items()
                 if self._torch.is_tensor(value) and value.numel() == self.count}
        names = {key: next(iter(numbers_of({key: 0.0})), None) for key in found}
        return {name: found[key] for key, name in names.items() if name}

    def view(self, place: int) -> Window:
        """Shows one of the environments."""
        return Window(self, place)

    def close(self) -> None:
        """Closes the window, if there is one."""
        if self.env.viewer is not None:
            self.env.viewer.close()
            self.env.viewer = self.env.visible_display = None


class Window:
    """What one environment of a crowd shows, as ``render_mode`` (``rgb_array`` or ``human``) says."""

    def __init__(self, crowd: VmasCrowd, place: int) -> None:
        self.render_mode = crowd.render_mode
        self._crowd, self._place = crowd, place

    def render(self) -> Any:
        """An image ``[H, W, 3]``, or None where a window is open."""
        crowd = self._crowd
        with crowd._own_luck():
            return crowd.env.render(mode=crowd.render_mode or "rgb_array", env_index=self._place)


class VmasWorld(World):
    """One environment of a scenario; arguments as those of :class:`VmasCrowd`."""

    def __init__(self, scenario: str, kwargs: Mapping[str, Any]) -> None:
        self._crowd = VmasCrowd(scenario, 1, kwargs)
        self.env, self.seats, self.limit = self._crowd.env, self._crowd.seats, kwargs.get("max_steps")
        self.n_agents, self.n_actions = len(self.seats.agents), self.seats.n_actions
        self.obs_dim, self.state_dim = self.seats.obs_dim, self.n_agents * self.seats.obs_dim
        self.state_is_obs = True

    def reset(self, seed: int) -> Shown:
        return self._crowd.reset(seed)[0]

    def step(self, actions: IntArray) -> Outcome:
        return self._crowd.step({0: actions})[0]

    def close(self) -> None:
        self._crowd.close()


class _Luck(NamedTuple):
    """States of the three generators that VMAS draws from."""

    torch: Any
    numpy: Any
    python: Any


def _luck_now(torch: Any) -> _Luck:
    return _Luck(torch.random.get_rng_state(), np.random.get_state(), random.getstate())


def _luck_of(torch: Any, seed: int) -> list[Any]:
    return [torch.Generator().manual_seed(seed).get_state(), np.random.RandomState(seed).get_state(),
            random.Random(seed).getstate()]


def _vmas(key: str) -> Any:
    try:
        return importlib.import_module("vmas")
    except ImportError as error:
        raise missing(key, error, "vmas") from None


def _flat(seen: Any) -> NDArray[np.float32]:
    """An agent's observations, ``[B, O]``; where they have names, in the order of these."""
    if isinstance(seen, Mapping):
        return np.concatenate([_flat(seen[name]) for name in sorted(seen)], 1)
    return np.asarray(seen.numpy(), dtype=np.float32).reshape(len(seen), -1)
