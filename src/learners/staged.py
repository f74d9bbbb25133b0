"""A run's learners, one for each stage, as one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..conventions.experience import EpisodeSource
from ..errors import UserError
from ..utils.tensor_files import load_networks, save_tensors
from .base import Learner, Stage
from .best_so_far import BestSoFar


class StagedLearner:
    """Trains each stage by its learner, and keeps all of them together.

    Args:
        mac: the controller of the run; in every stage it plays, and its learner trains, the stage's part of it.
        learners: in the order of their stages.
    """

    def __init__(self, mac: Controller, learners: Sequence[Learner]) -> None:
        self.mac, self.learners = mac, list(learners)
        self._choices: dict[str, BestSoFar] = {}
        mac.enter(self.at(1).stage.name)

    @property
    def stages(self) -> list[Stage]:
        return [learner.stage for learner in self.learners]

    @property
    def t_max(self) -> int:
        """``t_env`` at which the run ends."""
        return self.stages[-1].end

    def at(self, t_env: int) -> Learner:
        """The learner whose stage an update at ``t_env`` (from 1) belongs to: the latest that has begun by then."""
        return [each for each in self.learners if each.stage.begin < max(1, t_env)][-1]

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> dict[str, float]:
        """One update; returns and raises as :meth:`.Learner.train`."""
        learner = self.at(t_env)
        self.mac.enter(learner.stage.name)
        stats = learner.train(batch, t_env, episode_num)
        if self.judges(t_env):
            stats |= self.judge(t_env)
        return stats

    def use_data(self, source: EpisodeSource) -> None:
        """Tells every stage where the recorded episodes are."""
        for learner in self.learners:
            learner.use_data(source)
            if BestSoFar.wanted(learner):
                self._choices[learner.stage.name] = BestSoFar(learner, source)

    def judges(self, t_env: int) -> bool:
        """Whether the policy is judged by the recorded episodes after the update at ``t_env``."""
        choice = self._choices.get(self.at(t_env).stage.name)
        return choice is not None and choice.due(t_env)

    def judge(self, t_env: int) -> dict[str, float]:
        """Judges it; at the end of the stage the best one is put back.  Returns statistics."""
        learner = self.at(t_env)
        choice = self._choices[learner.stage.name]
        if t_env >= learner.stage.end:
            return choice.settle(t_env)
        choice.judge(t_env)
        return {}

    def settle(self, t_env: int) -> bool:
        """Puts the best policy back where a stage is left before its end; returns whether it is another than now's."""
        learner = self.at(t_env)
        choice = self._choices.get(learner.stage.name)
        if t_env == 0:
            return False
        chosen = choice is not None and choice.settle(t_env).get("selected_t_env", t_env) != t_env
        return (t_env < learner.stage.end and learner.leave()) or chosen

    def make_ready(self, t_env: int) -> None:
        """Makes the policy fit to be played and kept after the update at ``t_env``, as :meth:`.Learner.make_ready`."""
        self.at(t_env).make_ready()

    def facts(self) -> dict[str, Any]:
        """Which policy was chosen in stages that are over, plain JSON."""
        found = {name: choice.found for name, choice in self._choices.items() if choice.found}
        return {"selected": found} if found else {}

    def verify(self) -> None:
        """Raises what updates have not told yet, as :meth:`.Learner.verify`."""
        for learner in self.learners:
            learner.verify()

    def is_finite(self) -> bool:
        """Whether all networks still consist of finite numbers."""
        nets = [net for each in self.learners for net in each.nets.values()]
        return all(bool(param.isfinite().all()) for net in nets for param in net.parameters())

    def cuda(self) -> None:
        self.mac.cuda()
        for learner in self.learners:
            learner.cuda()

    def state_dict(self) -> dict[str, Any]:
        """The controller, and every stage by its name."""
        return {"mac": self.mac.state_dict(),
                "stages": {each.stage.name: each.state_dict() for each in self.learners},
                "choices": {name: choice.state_dict() for name, choice in self._choices.items()}}

    def load_state_dict(self, state: Mapping[str, Any], evaluate: bool = False) -> None:
        """Takes up a state.

        A stage that has begun keeps its beginning, whatever the settings of this run say about earlier stages.

        Args:
            evaluate: whether nothing is learned from here.

        Raises:
            UserError: the state is of a run that was in a stage which this run does not have.
        """
        self.mac.load_state_dict(state["mac"])
        begun = [name for name, stage in state["stages"].items() if stage["updates"]]
        own = {each.stage.name: each for each in self.learners}
        if begun and begun[-1] not in own and not evaluate:
            raise UserError(f"the checkpoint is of a run in its stage '{begun[-1]}', which this run does not have; "
                            f"its stages are: {', '.join(own)}. Continue it with the settings that it began with.")
        for name, learner in own.items():
            if name in state["stages"]:
                learner.load_state_dict(state["stages"][name])
                if name in begun and state["stages"][name]["begin"] != learner.stage.begin:
                    learner.console.warning("the stage '%s' began at t_env %d and goes on from there, whatever the "
                                            "settings of earlier stages say now", name, state["stages"][name]["begin"])
                    learner.stage = dataclasses.replace(learner.stage, begin=state["stages"][name]["begin"])
        for name, choice in self._choices.items():
            if name in begun and name in state.get("choices", {}):  # else of a run without
                choice.load_state_dict(state["choices"][name], begun[-1] != name)
        self._make_room()
        if begun and begun[-1] in own:
            self.mac.enter(begun[-1])
        elif not evaluate:
            self.mac.enter(self.at(1).stage.name)

    def _make_room(self) -> None:
        """Lets stages begin after earlier ones that have learned for longer than these settings ask for."""
        for one, following in itertools.pairwise(self.learners):
            learned = one.stage.begin + one.update.count
            if not following.update.count and learned > following.stage.begin:
                following.console.warning("the stage '%s' has learned for %d updates already; '%s' begins after them",
                                          one.stage.name, one.update.count, following.stage.name)
                following.stage = dataclasses.replace(following.stage, begin=learned)
                if (choice := self._choices.get(one.stage.name)) is not None:
                    choice.settle(learned)

    def save_models(self, path: str) -> None:
        """Writes ``learner.th`` (everything), and the controller alone for those who only want to act."""
        save_tensors(self.state_dict(), Path(path) / "learner.th")
        self.mac.save_models(path)

    def load_models(self, path: str, evaluate: bool = False) -> None:
        """Takes up what :meth:`save_models` wrote; errors as :meth:`load_state_dict`."""
        self.load_state_dict(load_networks(Path(path) / "learner.th"), evaluate)
