"""One run: build, train, evaluate, save.  Knows no algorithm and no game by name."""

from __future__ import annotations

import random
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch as th

from .components.episode_buffer import ReplayBuffer
from .components.transforms import OneHot
from .controllers import REGISTRY as MACS
from .envs.game import IntArray
from .learners import REGISTRY as LEARNERS
from .runners import REGISTRY as RUNNERS
from .runners.evaluation import Values
from .utils import checkpoint
from .utils.logging import Logger
from .utils.process import StopRequest, keep_freed_memory


def run(config: dict[str, Any], sacred_run: Any, console: Any) -> dict[str, Any]:
    """Runs one resolved configuration.

    Args:
        config: every key checked, ``seed`` included.
        sacred_run: the Sacred run that records the series, or None.
        console: a ``logging.Logger``.

    Returns:
        The last evaluation: ``return``, ``optimum`` (None where unknown) and every other test metric's mean; and under
        ``curve`` the points ``[t_env, headline]`` of all of the run's evaluations.

    Raises:
        UserError: bad data, a checkpoint that does not fit, a folder that cannot be written.
        KeyboardInterrupt: SIGINT or SIGTERM came; the model has been saved.
    """
    trial = prepare(config, sacred_run, console)
    try:
        return trial.run()
    finally:
        trial.logger.finish()


def prepare(config: dict[str, Any], sacred_run: Any, console: Any) -> Trial:
    """Seeds everything and builds the run of one resolved configuration; arguments and errors as for :func:`run`."""
    keep_freed_memory()
    args = SimpleNamespace(**config)
    th.set_num_threads(args.torch_threads)
    random.seed(args.seed)
    np.random.seed(args.seed)
    th.manual_seed(args.seed)
    if args.use_cuda and not th.cuda.is_available():
        console.warning("use_cuda=true, but no GPU is available: running on the CPU")
        args.use_cuda = False
    args.device = "cuda" if args.use_cuda else "cpu"
    logger = Logger(console)
    if sacred_run is not None:
        logger.setup_sacred(sacred_run)
    results = Path(args.local_results_path).expanduser()
    token = f"{args.name}_seed{args.seed}_{args.env_args['map_name']}_{datetime.now():%Y%m%d-%H%M%S-%f}"
    if args.use_tensorboard:
        logger.setup_tb(results / "tb_logs" / token)
    return Trial(args, config, logger, results / "models" / token)


def due(t: int, before: int, interval: int) -> bool:
    """Whether the clock has passed a multiple of ``interval`` on its way from ``before`` to ``t``.

    It depends on nothing else, so that a continued run does everything at the same times as an
    uninterrupted one.  An interval of 0 is never due.
    """
    return interval > 0 and t // interval > before // interval


class Trial:
    """The parts of one run and the loop over them.

    Args:
        args: the configuration as attributes; the parts add to it what they find out.
        config: the configuration as it was resolved.
        logger: takes statistics.
        models: folder for this run's checkpoints.
    """

    def __init__(self, args: Any, config: dict[str, Any], logger: Logger, models: Path) -> None:
        self.args, self.config, self.logger, self.models = args, config, logger, models
        self.console = logger.console_logger
        self.runner = RUNNERS[args.runner](args=args, logger=logger)
        info = self.runner.get_env_info()
        args.n_agents, args.n_actions, args.state_shape = info["n_agents"], info["n_actions"], info["state_shape"]
        rewards = 1 if args.common_reward else args.n_agents
        scheme = {"state": {"vshape": info["state_shape"]},
                  "obs": {"vshape": info["obs_shape"], "group": "agents"},
                  "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
                  "avail_actions": {"vshape": (args.n_actions,), "group": "agents", "dtype": th.int},
                  "reward": {"vshape": (rewards,)},
                  "terminated": {"vshape": (1,), "dtype": th.uint8}}
        groups, preprocess = {"agents": args.n_agents}, {"actions": ("actions_onehot", [OneHot(args.n_actions)])}
        size = 1 if self.runner.learns_offline else args.buffer_size
        self.buffer = ReplayBuffer(scheme, groups, size, args.episode_limit + 1, preprocess, seed=args.seed)
        self.mac = MACS[args.mac](self.buffer.scheme, groups, args)
        self.runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=self.mac)
        self.learner = LEARNERS[args.learner](self.mac, self.buffer.scheme, logger, args)
        if args.use_cuda:
            self.learner.cuda()
        self.episode, self.tested_at, self.saved_at = 0, -1, -1
        self.results: dict[str, Values] = {}
        self.curve: list[list[float]] = []
        if args.checkpoint_path:
            self._load()

    def run(self) -> dict[str, Any]:
        """Records, or evaluates only, or trains to ``t_max``.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; the step in progress was finished and saved.
        """
        if hasattr(self.runner, "record"):
            recorded: dict[str, Any] = self.runner.record()
            return recorded
        if self.args.evaluate:
            if not self.args.checkpoint_path:
                self.console.warning("evaluate=true without checkpoint_path: evaluating an untrained controller")
            self.test()
        else:
            self._train()
        self.runner.close_env()
        return self.summary()

    def _train(self) -> None:
        args, started, first_t = self.args, time.monotonic(), self.runner.t_env
        stop = StopRequest()
        with stop.listening():
            self.test()
            while self.runner.t_env < args.t_max and not stop.made:
                before = self.runner.t_env
                self._learn()
                t_env = self.runner.t_env
                if due(t_env, before, args.test_interval):
                    self.test()
                    left = (time.monotonic() - started) * (args.t_max - t_env) / (t_env - first_t)
                    self.console.info("%3d %% of %d, %.0f s left; test return %.4f", 100 * t_env // args.t_max,
                                      args.t_max, max(0.0, left), self.results["return"].mean())
                if args.save_model and due(t_env, before, args.save_model_interval):
                    self._save()
                if due(t_env, before, args.log_interval):
                    self.logger.log_stat("episode", self.episode, t_env)
                    self.logger.print_recent_stats()
            if stop.made:
                self.console.warning("interrupted at t_env %d", self.runner.t_env)
                self._save()
                raise KeyboardInterrupt
            if self.tested_at != self.runner.t_env:
                self.test()
            if self.saved_at != self.runner.t_env:
                self._save()

    def _learn(self) -> None:
        """One batch, and one update if there is enough to learn from."""
        batch = self.runner.run(test_mode=False)
        self.episode += batch.batch_size
        if not self.runner.learns_offline:
            self.buffer.insert_episode_batch(batch)
            if not self.buffer.can_sample(self.args.batch_size):
                return
            batch = self.buffer.sample(self.args.batch_size)
            batch = batch[:, : batch.max_t_filled()]
            batch.to(self.args.device)
        self.learner.train(batch, self.runner.t_env, self.episode)

    def test(self) -> None:
        """Evaluates the controller and logs the result."""
        self.results = self.runner.evaluate(self._show if self.args.evaluate and self.args.render else None)
        self.tested_at = self.runner.t_env
        self.curve.append([self.tested_at, float(self.results[self.runner.game.headline].mean())])

    def _show(self, state: IntArray) -> None:
        self.console.info("\n%s", self.runner.game.draw(state))

    def _save(self) -> None:
        self.saved_at = self.runner.t_env
        state = {"runner": self.runner.state_dict(), "episode": self.episode, "torch": th.get_rng_state()}
        facts = {"game": self.runner.game.spec(), "config": self.config}
        if self.runner.learns_offline:
            dataset = self.runner.dataset
            facts["dataset"] = {"source": dataset.source, "digest": dataset.digest}
        else:
            state["buffer"] = self.buffer.state_dict()
        model = checkpoint.save(self.models, self.runner.t_env, self.learner, state, facts)
        self.logger.note("model", str(model))
        self.console.info("model: %s", model)

    def _load(self) -> None:
        folder = checkpoint.find(self.args.checkpoint_path, self.args.load_step)
        manifest = checkpoint.read_manifest(folder)
        checkpoint.check(manifest, folder, self.runner.game.spec(), self.config)
        changed = checkpoint.differences(manifest, self.config)
        if changed and not self.args.evaluate:
            self.console.warning("continuing %s with other settings: %s", folder, ", ".join(changed))
        checkpoint.load_into(self.learner, folder)
        state = checkpoint.load_run_state(folder)
        if self.args.runner == manifest["config"]["runner"]:  # another runner's clock counts something else
            self.runner.load_state_dict(state["runner"])
            if not self.runner.learns_offline and not self.args.evaluate:
                self.buffer.load_state_dict(state["buffer"])
        self.episode = state["episode"]
        th.set_rng_state(state["torch"])
        self.console.info("loaded %s", folder)

    def summary(self) -> dict[str, Any]:
        """Prints and returns the last evaluation beside the exact optimum, if it is known; returns the curve, too."""
        game = self.runner.game
        means = {key: float(values.mean()) for key, values in self.results.items()}
        value, best, known = means[game.headline], game.headline_optimum(), self.runner.optimum
        if game.headline != "return":
            self.console.info("return     %.4f%s", means["return"], "" if known is None else f" (optimum {known:.4f})")
        self.console.info("%-10s %.4f", game.headline.replace("_", " "), value)
        if best is not None:
            self.console.info("optimum    %.4f", best)
            self.console.info("ratio      %.4f", value / best if best else float("nan"))
        # A game of one step and one state has one joint action to report.
        once = {"joint_action": self.runner.latest["actions"][0, 0, :, 0].tolist()} if game.episode_limit == 1 else {}
        return {**means, "optimum": known, "headline": value, "headline_optimum": best,
                "curve": self.curve, **once}
