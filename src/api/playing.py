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
from .views import Views

Actions = NDArray[np.int64]


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
        self._views = Views(team)
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
        self._views.begin(episodes)
        self._step, self._batch = 0, self.team.info.batch(count)
        mac.init_hidden(batch_size=count)

    @overload
    def act(self, observations: Mapping[str, Any], state: ArrayLike | None = None,
            action_masks: ArrayLike | None = None) -> dict[str, int]: ...
    @overload
    def act(self, observations: ArrayLike, state: ArrayLike | None = None,
            action_masks: ArrayLike | None = None) -> Actions: ...

    def act(self, observations: Mapping[str, Any] | ArrayLike, state: ArrayLike | None = None,
            action_masks: ArrayLike | None = None) -> dict[str, int] | Actions:
        """The team's actions in the next step of the episodes that :meth:`reset` began.

        Args:
            observations: what each agent sees: ``{agent: {"observation": [O], "action_mask": [A]}}`` or
                ``{agent: [O]}`` as of PettingZoo, by the environment's own names or ``agent_0``, ... and in any order,
                or an array ``[N, O]``; of B episodes ``[B, N, O]``.  Agents that have left are left out.
            state: ``[S]`` or ``[B, S]``, for teams that see it; None: what the agents observe, if that holds it.
            action_masks: ``[N, A]`` or ``[B, N, A]``, 1 for each action that may be chosen; None: those with the
                observations, else all that the game has.

        Returns:
            ``{agent: action}`` for observations by agent, else int64 ``[N]`` or ``[B, N]``.

        Raises:
            UserError: shapes do not fit, the state is missing, or the episode is longer than the game's.
        """
        step, views, batch = self._step, self._views, self._batch
        seen, masks = views.read(observations, action_masks, begins=step == 0)
        if step >= self.team.info.episode_limit:
            raise UserError(f"this episode is longer than {self.team.game.name} can be "
                            f"({self.team.info.episode_limit} steps); call reset() before act().")
        batch.update({"state": views.state(state, seen), "obs": seen, "avail_actions": masks}, ts=step)
        with th.no_grad():
            chosen: Actions = self.team.mac.select_actions(batch, t_ep=step, t_env=self.team.t_env,
                                                           test_mode=True).numpy()
        batch.update({"actions": chosen[..., None]}, ts=step, mark_filled=False)
        self._step += 1
        if isinstance(observations, Mapping):
            by_name = zip(views.names, chosen[0].tolist(), strict=True)
            return {agent: action for agent, action in by_name if agent in observations}
        return chosen if views.episodes else chosen[0]
