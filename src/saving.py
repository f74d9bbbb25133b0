"""What a run keeps of itself on the disk, and how it takes that up again."""

from __future__ import annotations

from logging import Logger
from pathlib import Path
from typing import Any

from . import build
from .components.episode_buffer import ReplayBuffer
from .config import keys_of
from .errors import Diverged, UserError
from .learners.staged import StagedLearner
from .observers.watch import Watch
from .runners.base import Runner
from .settings import Decides, Settings
from .utils import checkpoint
from .utils.generators import generators, set_generators
from .utils.manifest import differences


class SavedRun:
    """The part of a run that saves its networks, clocks, generators and curve, and goes on from them.

    Attributes:
        name: of the run, and of the folder of its models.
        record: what checkpoints say of where the run is recorded, plain JSON.
        goes_on: whether it is one that had been stopped.
        saved_at, tested_at: ``t_env`` of the last checkpoint and evaluation; -1 before the first.
        curve: points ``[t_env, headline]`` of the evaluations.
    """

    args: Settings
    config: dict[str, Any]
    watch: Watch
    console: Logger
    runner: Runner
    learner: StagedLearner
    buffer: ReplayBuffer | None
    name: str
    results_folder: Path
    made_by: dict[str, Any]
    record: list[list[Any]]
    goes_on: bool
    episode: int
    tested_at: int
    saved_at: int
    curve: list[list[float]]

    def _save_if_possible(self) -> None:
        """Saves on the way, where a disk that is full for a while is no reason to end the run.

        Raises:
            Diverged: as :meth:`_save`.
        """
        try:
            self._save()
        except Diverged:
            raise
        except UserError as error:
            self.console.warning("%s The run goes on, and tries again later.", error)

    def _last_good(self, t_env: int) -> str:
        """Saves what was learned before training diverged after ``t_env``, if that is finite; says where it is."""
        self.runner.t_env = t_env
        try:
            if t_env > 0 and self.saved_at != t_env:
                self._save()
        except UserError:
            pass  # what is not finite is not saved; what diverged is the news
        return f"What was learned by t_env {self.saved_at} is in {self._models / str(self.saved_at)}." \
            if self.saved_at >= 0 else "Nothing was saved."

    @property
    def _models(self) -> Path:
        return self.results_folder / "models" / self.name

    def _save(self) -> None:
        """Raises:
            Diverged: the networks are not finite; what was saved before is still there.
            UserError: the folder cannot be written.
        """
        if not self.learner.is_finite():
            raise Diverged(f"training diverged: the networks are not finite at t_env {self.runner.t_env}; lower lr, or "
                           "scale the rewards with reward_scale.")
        self.learner.make_ready(self.runner.t_env)
        state = {"runner": self.runner.state_dict(), "episode": self.episode, "curve": self.curve,
                 **generators()}
        if self.buffer is not None:
            state["buffer"] = self.buffer.state_dict()
        facts = {"game": self.runner.game.spec(), "config": self.config, "made_by": self.made_by,
                 "record": self.record, **self.runner.facts(), **self.learner.facts()}
        told = {"series": self.watch.series, "tested_at": self.tested_at}
        model = checkpoint.save(self._models, self.runner.t_env, self.learner, state, facts, told)
        self.saved_at = self.runner.t_env
        checkpoint.prune(self._models, self.args.kept)
        self.watch.checkpoint(self.runner.t_env, model)

    def _load(self) -> None:
        folder, manifest = checkpoint.find_whole(self.args.checkpoint_path, self.args.load_step,
                                                 tell=self.console.warning)
        build.check_networks(manifest, folder, self.runner.game, self.config)
        build.check_end(manifest, folder, self.args, self.learner)
        learning = [name for name, key in keys_of(self.config).items() if key.decides is Decides.LEARNING]
        changed = differences(manifest, self.config, learning)
        if changed and not self.args.evaluate:
            self.console.warning("continuing %s with other settings: %s", folder, ", ".join(changed))
        rules = manifest.get("made_by", {}).get("rules")
        if rules and rules != self.runner.game.rules():
            self.console.warning("%s was trained when the rules of %s were others (digest %s, now %s)", folder,
                                 self.runner.game.name, rules, self.runner.game.rules())
        checkpoint.load_into(self.learner, folder, evaluate=self.args.evaluate)
        with checkpoint.taking_up(folder):
            self._take_up(folder, manifest, checkpoint.load_run_state(folder), checkpoint.load_told(folder))
        self.console.info("loaded %s", folder)

    def _take_up(self, folder: Path, manifest: dict[str, Any], state: dict[str, Any], told: dict[str, Any]) -> None:
        """Takes up the state of a run beside what was learned, as a checkpoint holds it."""
        same_clock = self.args.runner == manifest["config"]["runner"]  # another runner's counts something else
        if same_clock:
            self.runner.load_state_dict(state["runner"])
            if self.buffer is not None and not self.args.evaluate:
                self.buffer.load_state_dict(state["buffer"])
        if self.goes_on:
            self.curve, self.saved_at, self.tested_at = state["curve"], self.runner.t_env, told.get("tested_at", -1)
            self.watch.series = {key: (list(times), list(values)) for key, (times, values) in
                                 told.get("series", {}).items()}
        elif not self.args.evaluate and same_clock:
            self.curve = state["curve"]
            if self.curve and self.curve[-1][0] == self.runner.t_env:
                self.curve.pop()  # the same team is evaluated again now
        if self.args.evaluate:  # the data are those of the run that trained the team
            made_by = manifest.get("made_by", {})
            self.made_by |= {key: made_by[key] for key in ("data", "recipe") if key in made_by}
        self.episode = state["episode"] if same_clock else 0
        if not same_clock:
            for learner in self.learner.learners:
                learner.forget_clock()
        set_generators(state)
