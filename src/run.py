"""One run: build, train, evaluate, save.  Knows no algorithm and no game by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np
import torch as th

from . import build
from .envs.game import IntArray
from .errors import Diverged, UserError
from .evaluation.play import Values, headline_of
from .evaluation.summary import summarise
from .observers import REGISTRY as OBSERVERS
from .observers import Observer, RunStart
from .observers.console import ConsoleObserver
from .observers.progress import ProgressObserver
from .observers.sacred import SacredObserver
from .observers.watch import Watch
from .provenance import provenance
from .runners import REGISTRY as RUNNERS
from .saving import SavedRun
from .settings import Settings
from .utils.files import named_path
from .utils.garbage import started
from .utils.process import StopRequest, keep_freed_memory
from .utils.progress import counting, is_live, showing


@dataclass(frozen=True)
class Begun:
    """A run that has begun before and goes on as if it had never been stopped.

    Attributes:
        name: of the run.
        folder: of the checkpoint from which it goes on; None for one that was stopped before its first.
    """

    name: str
    folder: Path | None


def run(config: dict[str, Any], sacred_run: Any, console: Logger, begun: Begun | None = None,
        record: Sequence[tuple[str, Any]] = ()) -> dict[str, Any]:
    """Runs one resolved configuration.

    Args:
        config: every key checked, ``seed`` included.
        sacred_run: the Sacred run that records the series, or None.
        console: takes words.
        begun: if it is not a new run.
        record: what checkpoints say of where the run is recorded, plain JSON.

    Returns:
        The last evaluation: ``return``, ``optimum`` (None where unknown) and every other test metric's mean; and under
        ``curve`` the points ``[t_env, headline]`` of all of the run's evaluations.

    Raises:
        UserError: bad data, a checkpoint that does not fit, a folder that cannot be written.
        KeyboardInterrupt: SIGINT or SIGTERM came; the model has been saved.
    """
    with showing(config.get("progress"), console.info):
        return prepare(config, sacred_run, console, begun, record).run()


def prepare(config: dict[str, Any], sacred_run: Any, console: Logger, begun: Begun | None = None,
            record: Sequence[tuple[str, Any]] = ()) -> Trial:
    """Seeds everything and builds the run of one resolved configuration; arguments and errors as for :func:`run`."""
    keep_freed_memory()
    written = config
    if begun and begun.folder:  # every part knows that it goes on, but the run is the one that it was
        config = {**config, "checkpoint_path": str(begun.folder), "load_step": 0}
    args = Settings.of(config)
    th.set_num_threads(args.torch_threads)
    random.seed(args.seed)
    np.random.seed(args.seed)
    th.manual_seed(args.seed)
    observers: dict[str, Callable[[], Observer]] = {name: OBSERVERS[name] for name in args.watchers}
    if taken := {"console", "sacred", "progress"} & observers.keys():
        raise UserError(f"an observer is registered as '{taken.pop()}', which every run has; give it another name.")
    observers["console"] = lambda: ConsoleObserver(console)
    if is_live():
        observers["progress"] = ProgressObserver
    if sacred_run is not None:
        observers["sacred"] = lambda: SacredObserver(sacred_run)
    return Trial(args, config, Watch(observers, console), written, begun, record)


def due(t: int, before: int, interval: int) -> bool:
    """Whether the clock has passed a multiple of ``interval`` on its way from ``before`` to ``t``.

    It depends on nothing else, so that a continued run does everything at the same times as an
    uninterrupted one.  An interval of 0 is never due.
    """
    return interval > 0 and t // interval > before // interval


class Trial(SavedRun):
    """The parts of one run and the loop over them.

    Args:
        args: the settings that every run has.
        config: the whole configuration as it was resolved.
        watch: the observers.
        written: the configuration that checkpoints say; None for ``config``.
        begun, record: as for :func:`run`.
    """

    def __init__(self, args: Settings, config: dict[str, Any], watch: Watch, written: dict[str, Any] | None = None,
                 begun: Begun | None = None, record: Sequence[tuple[str, Any]] = ()) -> None:
        self.args, self.config, self.watch, self.console = args, written or config, watch, watch.console
        self.record, self.goes_on = [list(each) for each in record], begun is not None and begun.folder is not None
        self.device = build.device_of(args, self.console)
        self.runner = RUNNERS[args.runner](args, build.build_env(args), self.console, self.device)
        info = self.runner.info
        build.check_episodes(config, info)
        self.mac = build.build_mac(config, info)
        self.runner.use(self.mac)
        self.learner = build.build_learner(config, self.mac, info, self.console)
        if (recorded := self.runner.recorded) is not None:
            self.learner.use_data(recorded)
        if self.device == "cuda":
            self.learner.cuda()
        self.buffer = None if self.runner.learns_offline else info.buffer(args.buffer_size, args.seed)
        self.name = begun.name if begun else \
            f"{args.name}_seed{args.seed}_{args.env_args['map_name']}_{datetime.now():%Y%m%d-%H%M%S-%f}"
        self.results_folder = named_path(args.local_results_path)
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
        started()
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
            if self.results:
                self.watch.episodes(self.runner.t_env, self.results)
            self.watch.end(self.runner.t_env, summary)

    def begin(self) -> None:
        """Tells the observers that the run begins.

        Raises:
            UserError: one of them cannot work here.
        """
        game, random, best = self.runner.game, None, None
        if is_live() and self.args.runner != "record":
            with counting(f"finding what {game.name} is worth", unit=""):
                best = game.headline_optimum()
                random = None if best is None and game.headline_bound() is None else game.random_headline()
        record = next((str(place) for kind, place in self.record if kind == "Folder"), "")
        self.watch.start(RunStart(self.config, self.made_by, self.name, self.results_folder, self.runner.t_env,
                                  self.learner.t_max, self.watch.series, game.headline, random, best,
                                  Path(self.args.checkpoint_path) if self.goes_on else None,
                                  {"data": self.runner.place, "record": record}))

    def _train(self) -> None:
        args, t_max = self.args, self.learner.t_max
        if not self.goes_on:
            self.test()  # it may search long for what can be reached, and nothing is lost where a signal ends it
        signal = StopRequest()
        with signal.listening():
            while self.runner.t_env < t_max and not signal.made and not self._heeds_observers():
                before = self.runner.t_env
                try:
                    self._learn()
                except Diverged as error:
                    raise Diverged(f"{error} {self._last_good(before)}") from None
                t_env = self.runner.t_env
                if any(due(t_env, before, every) for every in (args.test_interval, args.saving_interval)):
                    self._verify(before)
                self.watch.progress(t_env)
                if due(t_env, before, args.test_interval):
                    self.test()
                if due(t_env, before, args.log_interval):
                    self.watch.statistics(t_env, {"episode": self.episode})
                # After all that is told at this time, so that a run that goes on from here has told the same.
                if args.save_model and due(t_env, before, args.saving_interval):
                    self._save_if_possible()
            self._verify(self.runner.t_env)  # whatever has ended it, the last update may not have told
            if self.stopped and self.learner.settle(self.runner.t_env) and self.tested_at == self.runner.t_env:
                self.test()
                self.curve[-1][1], self.saved_at = headline_of(self.runner.game, self.results), -1
            if signal.made:
                self.console.warning("interrupted at t_env %d", self.runner.t_env)
                self._save()
                raise KeyboardInterrupt
            if self.tested_at != self.runner.t_env or not self.results:
                self.test()
            if self.saved_at != self.runner.t_env:
                self._save()

    def _verify(self, before: int) -> None:
        """Raises what updates have not told yet, once what was learned by ``t_env`` ``before`` has been saved."""
        try:
            self.learner.verify()
        except Diverged as error:
            raise Diverged(f"{error} {self._last_good(before)}") from None

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
            stage, last = self.learner.at(self.runner.t_env).stage.name, self.learner.stages[-1].name
            if stage != last:
                self.stopped["stage"] = stage
                self.console.warning("the stage '%s' has not begun: what plays, and the result, is of the stage '%s'",
                                     last, stage)
        return bool(self.stopped)

    def test(self) -> None:
        """Evaluates the controller and tells the observers, unless they were told before the run was stopped."""
        if not self.args.evaluate:
            self.learner.make_ready(self.runner.t_env)
        self.results = self.runner.evaluate(self._show if self.args.evaluate and self.args.render else None)
        if self.tested_at == self.runner.t_env:
            return
        self.tested_at = self.runner.t_env
        self.curve.append([self.tested_at, headline_of(self.runner.game, self.results)])
        self.watch.evaluation(self.tested_at, self.runner.stats_of(self.results))

    def _show(self, state: IntArray) -> None:
        self.console.info("\n%s", self.runner.game.show(state))

    def summary(self) -> dict[str, Any]:
        """The last evaluation beside the exact optimum, if it is known, and the curve."""
        facts = summarise(self.runner.game, self.results, self.runner.latest, self.runner.optimum)
        stopped = {"stopped": self.stopped} if self.stopped else {}
        return {**facts, "curve": self.curve, "made_by": self.made_by, **stopped}
