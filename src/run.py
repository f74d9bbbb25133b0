"""One run: build, train, evaluate, save.  Knows no algorithm and no game by name."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np
import torch as th

from . import build
from .config import keys_of
from .envs.game import IntArray
from .errors import UserError
from .evaluation.play import Values, headline_of
from .evaluation.summary import summarise, told
from .observers import REGISTRY as OBSERVERS
from .observers import Observer, RunStart
from .observers.console import ConsoleObserver
from .observers.sacred import SacredObserver
from .observers.watch import Watch
from .provenance import provenance
from .runners import REGISTRY as RUNNERS
from .settings import Decides, Settings
from .utils import checkpoint
from .utils.process import StopRequest, keep_freed_memory


def run(config: dict[str, Any], sacred_run: Any, console: Logger) -> dict[str, Any]:
    """Runs one resolved configuration.

    Args:
        config: every key checked, ``seed`` included.
        sacred_run: the Sacred run that records the series, or None.
        console: takes words.

    Returns:
        The last evaluation: ``return``, ``optimum`` (None where unknown) and every other test metric's mean; and under
        ``curve`` the points ``[t_env, headline]`` of all of the run's evaluations.

    Raises:
        UserError: bad data, a checkpoint that does not fit, a folder that cannot be written.
        KeyboardInterrupt: SIGINT or SIGTERM came; the model has been saved.
    """
    return prepare(config, sacred_run, console).run()


def prepare(config: dict[str, Any], sacred_run: Any, console: Logger) -> Trial:
    """Seeds everything and builds the run of one resolved configuration; arguments and errors as for :func:`run`."""
    keep_freed_memory()
    args = Settings.of(config)
    th.set_num_threads(args.torch_threads)
    random.seed(args.seed)
    np.random.seed(args.seed)
    th.manual_seed(args.seed)
    names = dict.fromkeys([*(["tensorboard"] if args.use_tensorboard else []), *args.observers])
    observers: dict[str, Callable[[], Observer]] = {name: OBSERVERS[name] for name in names}
    if taken := {"console", "sacred"} & observers.keys():
        raise UserError(f"an observer is registered as '{taken.pop()}', which every run has; give it another name.")
    observers["console"] = lambda: ConsoleObserver(console)
    if sacred_run is not None:
        observers["sacred"] = lambda: SacredObserver(sacred_run)
    return Trial(args, config, Watch(observers, console))


def due(t: int, before: int, interval: int) -> bool:
    """Whether the clock has passed a multiple of ``interval`` on its way from ``before`` to ``t``.

    It depends on nothing else, so that a continued run does everything at the same times as an
    uninterrupted one.  An interval of 0 is never due.
    """
    return interval > 0 and t // interval > before // interval


class Trial:
    """The parts of one run and the loop over them.

    Args:
        args: the settings that every run has.
        config: the whole configuration as it was resolved.
        watch: the observers.
    """

    def __init__(self, args: Settings, config: dict[str, Any], watch: Watch) -> None:
        self.args, self.config, self.watch, self.console = args, config, watch, watch.console
        self.device = build.device_of(args, self.console)
        self.runner = RUNNERS[args.runner](args, build.build_env(args), self.console, self.device)
        info = self.runner.info
        self.mac = build.build_mac(config, info)
        self.runner.use(self.mac)
        self.learner = build.build_learner(config, self.mac, info, self.console)
        if (recorded := self.runner.recorded) is not None:
            self.learner.use_data(recorded)
        if self.device == "cuda":
            self.learner.cuda()
        self.buffer = None if self.runner.learns_offline else info.buffer(args.buffer_size, args.seed)
        self.name = f"{args.name}_seed{args.seed}_{args.env_args['map_name']}_{datetime.now():%Y%m%d-%H%M%S-%f}"
        self.results_folder = Path(args.local_results_path).expanduser()
        self.made_by = {**provenance(config, self.runner.game), **self.runner.made_from()}
        self.episode, self.tested_at, self.saved_at = 0, -1, -1
        self.results: dict[str, Values] = {}
        self.curve: list[list[float]] = []
        self.stopped: dict[str, Any] = {}
        if args.checkpoint_path:
            self._load()

    def run(self) -> dict[str, Any]:
        """Records, or evaluates only, or trains to the end of the last stage.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; the step in progress was finished and saved.
        """
        summary: dict[str, Any] = {}
        try:
            self.begin()
            recorded = self.runner.record()
            if recorded is not None:
                summary = recorded
                return recorded
            if self.args.evaluate:
                if not self.args.checkpoint_path:
                    self.console.warning("evaluate=true without checkpoint_path: evaluating an untrained controller")
                self.test()
            else:
                self._train()
            self.runner.close_env()
            summary = self.summary()
            return summary
        finally:
            self.watch.end(self.runner.t_env, summary)

    def begin(self) -> None:
        """Tells the observers that the run begins.

        Raises:
            UserError: one of them cannot work here.
        """
        self.watch.start(RunStart(self.config, self.made_by, self.name, self.results_folder, self.runner.t_env,
                                  self.learner.t_max))

    def _train(self) -> None:
        args, t_max = self.args, self.learner.t_max
        signal = StopRequest()
        with signal.listening():
            self.test()
            while self.runner.t_env < t_max and not signal.made and not self._heeds_observers():
                before = self.runner.t_env
                self._learn()
                t_env = self.runner.t_env
                if due(t_env, before, args.test_interval):
                    self.test()
                if args.save_model and due(t_env, before, args.save_model_interval):
                    self._save()
                if due(t_env, before, args.log_interval):
                    self.watch.statistics(t_env, {"episode": self.episode})
            if signal.made:
                self.console.warning("interrupted at t_env %d", self.runner.t_env)
                self._save()
                raise KeyboardInterrupt
            if self.tested_at != self.runner.t_env:
                self.test()
            if self.saved_at != self.runner.t_env:
                self._save()

    def _learn(self) -> None:
        """One batch, and one update if there is enough to learn from."""
        batch = self.runner.run()
        self.episode += batch.batch_size
        self.watch.statistics(self.runner.t_env, self.runner.take_statistics())
        if self.buffer is not None:
            self.buffer.insert_episode_batch(batch)
            if not self.buffer.can_sample(self.args.batch_size):
                return
            batch = self.buffer.sample(self.args.batch_size)
            batch = batch[:, : batch.max_t_filled()]
            batch.to(self.device)
        self.watch.statistics(self.runner.t_env, self.learner.train(batch, self.runner.t_env, self.episode))

    def _heeds_observers(self) -> bool:
        """Whether an observer ends the run before its end."""
        if (stop := self.watch.stop) is not None:
            name, reason = stop
            self.stopped = {"by": name, "t_env": self.runner.t_env}
            self.console.warning("the observer '%s' ends the run at t_env %d: %s", name, self.runner.t_env, reason)
        return bool(self.stopped)

    def test(self) -> None:
        """Evaluates the controller and tells the observers."""
        self.results = self.runner.evaluate(self._show if self.args.evaluate and self.args.render else None)
        self.tested_at = self.runner.t_env
        self.curve.append([self.tested_at, headline_of(self.runner.game, self.results)])
        self.watch.evaluation(self.tested_at, self.runner.stats_of(self.results))

    def _show(self, state: IntArray) -> None:
        self.console.info("\n%s", self.runner.game.show(state))

    def _save(self) -> None:
        self.saved_at = self.runner.t_env
        state = {"runner": self.runner.state_dict(), "episode": self.episode, "torch": th.get_rng_state(),
                 "curve": self.curve}
        if self.buffer is not None:
            state["buffer"] = self.buffer.state_dict()
        facts = {"game": self.runner.game.spec(), "config": self.config, "made_by": self.made_by,
                 **self.runner.facts()}
        model = checkpoint.save(self.results_folder / "models" / self.name, self.runner.t_env, self.learner, state,
                                facts)
        self.watch.checkpoint(self.runner.t_env, model)

    def _load(self) -> None:
        folder = checkpoint.find(self.args.checkpoint_path, self.args.load_step)
        manifest = checkpoint.read_manifest(folder)
        checkpoint.check(manifest, folder, self.runner.game.spec(), self.config)
        learning = [name for name, key in keys_of(self.config).items() if key.decides is Decides.LEARNING]
        changed = checkpoint.differences(manifest, self.config, learning)
        if changed and not self.args.evaluate:
            self.console.warning("continuing %s with other settings: %s", folder, ", ".join(changed))
        rules = manifest.get("made_by", {}).get("rules")
        if rules and rules != self.runner.game.rules():
            self.console.warning("%s was trained when the rules of %s were others (digest %s, now %s)", folder,
                                 self.runner.game.name, rules, self.runner.game.rules())
        checkpoint.load_into(self.learner, folder, evaluate=self.args.evaluate)
        state = checkpoint.load_run_state(folder)
        if self.args.runner == manifest["config"]["runner"]:  # another runner's clock counts something else
            self.runner.load_state_dict(state["runner"])
            if self.buffer is not None and not self.args.evaluate:
                self.buffer.load_state_dict(state["buffer"])
        if not self.args.evaluate:
            self.curve = state["curve"]
            if self.curve and self.curve[-1][0] == self.runner.t_env:
                self.curve.pop()  # the same team is evaluated again now
            if self.runner.t_env > self.learner.t_max:
                raise UserError(f"{folder} is at t_env {self.runner.t_env}, after the end of this run at "
                                f"{self.learner.t_max}; set a larger t_max, take an earlier checkpoint with load_step, "
                                "or only evaluate it with evaluate=true.")
        if self.args.evaluate:  # the data are those of the run that trained the team
            made_by = manifest.get("made_by", {})
            self.made_by |= {key: made_by[key] for key in ("data", "recipe") if key in made_by}
        self.episode = state["episode"]
        th.set_rng_state(state["torch"])
        self.console.info("loaded %s", folder)

    def summary(self) -> dict[str, Any]:
        """Prints and returns the last evaluation beside the exact optimum, if it is known; returns the curve, too."""
        facts = summarise(self.runner.game, self.results, self.runner.latest, self.runner.optimum)
        for line in told(self.runner.game, facts):
            self.console.info("%s", line)
        stopped = {"stopped": self.stopped} if self.stopped else {}
        return {**facts, "curve": self.curve, "made_by": self.made_by, **stopped}
