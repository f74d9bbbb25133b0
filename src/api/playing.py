"""Trained teams that act on what an environment of the caller's shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import torch as th
from numpy.typing import ArrayLike, NDArray

from ..build import Team
from ..errors import UserError
from .teams import checked_episodes, checked_seed, trained_team
from .undisturbed import undisturbed

Actions = NDArray[np.int64]
Views = Mapping[str, Any]


def load_policy(model: str | os.PathLike[str], *, greedy: bool | None = None, key: str = "") -> TeamPolicy:
    """A trained team that acts, one episode at a time or many at once.

    ::

        env, policy = make_env("sensor"), load_policy("results/models/<run>")
        observations, infos = env.reset(seed=0)
        policy.reset(seed=0)
        while env.agents:
            observations, rewards, *rest = env.step(policy.act(observations, state=env.state()))

    Args:
        model: the run's model folder, or one checkpoint in it.
        greedy: whether the team plays what it likes best, or draws (students: by the agreement key); None: as its run
            was evaluated (``test_greedy``).
        key: ``env_args.key`` of its environment, if that is of another package: what a model folder says is not
            enough to import and call it.

    Raises:
        UserError: no whole checkpoint is there, or it cannot be used here.
    """
    with undisturbed():
        return TeamPolicy(trained_team(model, key, greedy=greedy))


class TeamPolicy:
    """What all agents of a trained team do.

    Args:
        team: from a checkpoint.

    Attributes:
        team: its game, settings and controller.
        n_agents, n_actions: N and A.
        sees: ``state`` or ``obs``, what its agents act on (``policy_input``).
    """

    def __init__(self, team: Team) -> None:
        self.team = team
        self.n_agents, self.n_actions = team.info.n_agents, team.info.n_actions
        self.sees: str = team.config["policy_input"]
        self._names: list[str] = []
        self._held = _state_in_observations(team)
        self.reset()

    def reset(self, seed: int | None = None, episodes: int | None = None) -> None:
        """Begins an episode, or several at once.

        Args:
            seed: of what the team draws, for students the seed of the agreement key that all agents share; the same
                seed and observations lead to the same actions.  None: the next episode of the seed before (at first
                the run's).
            episodes: B, of which :meth:`act` then takes and returns arrays with B in front; None: one, without B.

        Raises:
            UserError: a number is out of range.
        """
        mac, count = self.team.mac, 1 if episodes is None else checked_episodes(episodes, self.team.info)
        if seed is not None:
            mac.seed_with(checked_seed(seed))
            for generator in mac.generators.values():
                generator.manual_seed(int(seed))
            for generator in mac.acting.generators.values():
                generator.manual_seed(int(seed))
        self._single, self._step = episodes is None, 0
        self._batch = self.team.info.batch(count)
        mac.init_hidden(batch_size=count)

    @overload
    def act(self, observations: Views, state: ArrayLike | None = None,
            action_masks: ArrayLike | None = None) -> dict[str, int]: ...
    @overload
    def act(self, observations: ArrayLike, state: ArrayLike | None = None,
            action_masks: ArrayLike | None = None) -> Actions: ...

    def act(self, observations: Views | ArrayLike, state: ArrayLike | None = None,
            action_masks: ArrayLike | None = None) -> dict[str, int] | Actions:
        """The team's actions in the next step of the episodes that :meth:`reset` began.

        Args:
            observations: what each agent sees: ``{agent: {"observation": [O], "action_mask": [A]}}`` or
                ``{agent: [O]}`` as of PettingZoo, or an array ``[N, O]``; of B episodes ``[B, N, O]``.  Agents that
                have left are left out.
            state: ``[S]`` or ``[B, S]``, for teams that see it; None: what the agents observe, if that holds it.
            action_masks: ``[N, A]`` or ``[B, N, A]``, 1 for each action that may be chosen; None: those with the
                observations, else all that the game has.

        Returns:
            ``{agent: action}`` for observations by agent, else int64 ``[N]`` or ``[B, N]``.

        Raises:
            UserError: shapes do not fit, the state is missing, or the episode is longer than the game's.
        """
        seen, masks = self._views(observations, action_masks)
        step, info, batch = self._step, self.team.info, self._batch
        if step >= info.episode_limit:
            raise UserError(f"this episode is longer than {self.team.game.name} can be ({info.episode_limit} steps); "
                            "call reset() before act().")
        found = self._array("state", state, (info.state_shape,)) if state is not None else self._state_in(seen)
        batch.update({"state": found, "obs": seen, "avail_actions": masks}, ts=step)
        with th.no_grad():
            chosen: Actions = self.team.mac.select_actions(batch, t_ep=step, t_env=self.team.t_env,
                                                           test_mode=True).numpy()
        batch.update({"actions": chosen[..., None]}, ts=step, mark_filled=False)
        self._step += 1
        chosen = chosen[0] if self._single else chosen
        if not isinstance(observations, Mapping):
            return chosen
        return {agent: action for agent, action in zip(self._names, chosen.tolist(), strict=True)
                if agent in observations}

    def _views(self, observations: Views | ArrayLike, action_masks: ArrayLike | None,
               ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Observations ``[B, N, O]`` and masks ``[B, N, A]``."""
        info = self.team.info
        if isinstance(observations, Mapping):
            observations, own = self._by_agent(observations)
            action_masks = own if action_masks is None else action_masks
        seen = self._array("observations", observations, (info.n_agents, info.obs_shape))
        if action_masks is None:
            masks = np.broadcast_to(self.team.game.possible(), (len(seen), info.n_agents, info.n_actions)).astype(bool)
        else:
            masks = self._array("action_masks", action_masks, (info.n_agents, info.n_actions)) != 0
        masks[~masks.any(2)] = True  # of an episode that is over: whatever it does is nothing
        return seen, masks

    def _by_agent(self, observations: Views) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Observations ``[N, O]`` and, if they are given with them, masks ``[N, A]``, in the agents' order.

        That is the order of the first step.  Agents that have left see zeros and can only choose action 0, as in
        training.
        """
        name, info = self.team.game.name, self.team.info
        if not self._single:
            raise UserError(f"act() of {self._batch.batch_size} episodes takes arrays, not observations by agent.")
        if self._step == 0:
            numbered = [f"agent_{i}" for i in range(self.n_agents)]
            self._names = numbered if set(observations) == set(numbered) else list(observations)
        strange = [agent for agent in observations if agent not in self._names]
        if strange or (self._step == 0 and len(observations) != self.n_agents):
            raise UserError(f"{name} has {self.n_agents} agents, but observations are of "
                            f"{len(observations)}: {', '.join(map(str, observations)) or 'none'}.")
        seen, masks = np.zeros((self.n_agents, info.obs_shape), np.float32), np.zeros((self.n_agents, self.n_actions))
        masks[:, 0] = 1
        masked = True
        for number, agent in enumerate(self._names):
            if agent in observations:
                view = observations[agent]
                inside = view if isinstance(view, Mapping) else {"observation": view}
                seen[number] = self._part(f"the observation of {agent}", inside.get("observation"), info.obs_shape)
                masked &= "action_mask" in inside
                masks[number] = self._part(f"the action_mask of {agent}", inside.get("action_mask", np.ones(
                    self.n_actions)), self.n_actions)
        return seen, masks if masked or len(observations) < self.n_agents else None

    def _part(self, what: str, given: Any, size: int) -> NDArray[np.float32]:
        """One agent's numbers ``[size]``."""
        try:
            array = np.asarray(given, dtype=np.float32).reshape(-1)
        except (ValueError, TypeError):
            raise UserError(f"{what} must be {size} numbers.") from None
        if len(array) != size:
            raise UserError(f"{what} must be {size} numbers, not {len(array)}.")
        return array

    def _array(self, what: str, given: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array ``[B, *shape]``."""
        wanted = shape if self._single else (self._batch.batch_size, *shape)
        try:
            array = np.asarray(given, dtype=np.float32)
        except (ValueError, TypeError):
            raise UserError(f"{what} must be numbers of the shape {wanted}.") from None
        if array.shape != wanted:
            raise UserError(f"{what} must have the shape {wanted}, not {array.shape}.")
        if not np.isfinite(array).all():
            raise UserError(f"{what} hold a value that is not finite (NaN or infinite).")
        return array[None] if self._single else array

    def _state_in(self, seen: NDArray[Any]) -> NDArray[Any]:
        """The state ``[B, S]``, where observations ``[B, N, O]`` hold it."""
        if self._held:
            return seen[:, 0] if self._held == "each" else seen.reshape(len(seen), -1)
        if self.sees == "state":
            raise UserError(f"this team acts on the state of {self.team.game.name}, which its agents' observations do "
                            "not hold; call act(observations, state=env.state()).")
        return np.zeros((len(seen), self.team.info.state_shape), np.float32)


def _state_in_observations(team: Team) -> str:
    """Whether ``each`` agent observes the state, ``all`` together are it, or neither (empty)."""
    game, info = team.game, team.info
    try:
        views = game.view(np.zeros((1, info.state_shape), np.float32))
    except UserError:  # an environment of another package with a state of its own
        return ""
    if game.pure:
        return "each" if views.strides[1] == 0 else ""
    return "all"
