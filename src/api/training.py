"""Runs from Python, as the command line makes them."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..build import rehearse
from ..config import resolve, word
from ..data import OfflineDataset
from ..data.generate import keep
from ..errors import UserError
from ..records.artifacts import row_of
from ..run import prepare
from ..utils import checkpoint
from ..utils.files import named_path, need_folder
from .datasets import place_of
from .evaluating import Evaluation
from .playing import TeamPolicy, load_policy
from .saying import Words
from .teams import checked_seed
from .undisturbed import undisturbed
from .words import flag, named

#: what train() is not for, and what is
ELSEWHERE = {"evaluate": "evaluate(model)", "render": "make_env(..., render_mode=...)",
             "load_step": "the folder of one checkpoint as checkpoint_path",
             "record_to": "runner=record on the command line"}


class Series(NamedTuple):
    """One metric over the run.

    Attributes:
        t_env: the run's clock, int64 ``[K]``: updates offline, environment steps online.
        values: float64 ``[K]``.
    """

    t_env: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended.

    Attributes:
        method, game, dataset, seed: what was run, by the names it was asked for.
        evaluation: the last one.
        history: metrics by EPyMARL's names (``test_return_mean``, losses, ...).
        model: the run's model folder; checkpoints are its subfolders.
        config: the whole resolved configuration.
        warnings: sentences that the run said on the way.
        row: the run as a row of a table, for :func:`compare` and, as a line of a ``.jsonl`` file, for reports.
        record: folder or place of Sacred's record, if one was asked for.
    """

    method: str
    game: str
    dataset: str
    seed: int
    evaluation: Evaluation
    history: Mapping[str, Series] = field(repr=False)
    model: Path
    config: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...] = field(repr=False)
    row: Mapping[str, Any] = field(repr=False)
    record: Path | None = None

    @property
    def mean_return(self) -> float:
        """Mean undiscounted return of the last evaluation."""
        return self.evaluation.mean_return

    @property
    def optimum(self) -> float | None:
        """The best expected return that any team can have; None where nobody knows it."""
        return self.evaluation.optimum

    @property
    def score(self) -> float | None:
        """0 for random play, 1 for the optimum; None where that is unknown."""
        return self.evaluation.score

    def policy(self, *, greedy: bool | None = None) -> TeamPolicy:
        """The trained team, ready to act; arguments and errors as of :func:`load_policy`."""
        return load_policy(self.model, greedy=greedy, key=str(self.config["env_args"].get("key") or ""))


def train(method: str, game: str, dataset: str | os.PathLike[str] | OfflineDataset | None = None, *,
          seed: int | None = None, t_max: int | None = None, record: bool = False, verbose: bool = False,
          **keys: Any) -> TrainedRun:
    """Trains a method on a game, to the bits that the command line learns by the same settings.

    ::

        run = train("cpa_pa", "xor", dataset="medium", seed=0)
        run.mean_return, run.score, run.history["test_return_mean"].values

    The model is written to ``results/models`` and data sets of recipes to ``datasets``, as always (keys
    ``local_results_path`` and ``datasets_path``); nothing else of the process or the disk is changed.  Ctrl-C, or a
    notebook's interrupt, ends the update in progress, saves the model and raises ``KeyboardInterrupt``.
    Train one run at a time in a process.

    Args:
        method: a name of ``--config``, or the path of such a YAML file.
        game: a name of ``--env-config``, or the path of such a YAML file.
        dataset: a recipe of the game, the path of a file or folder, or a data set (see :func:`dataset_from_arrays`);
            None: what the files say.
        seed: decides everything random; None: that of ``checkpoint_path``, if one is given, else 0.
        t_max: length of the run: updates offline, environment steps online; None: what the files say.
        record: whether Sacred records the run as it does those of the command line.
        verbose: whether the run tells of itself on standard output.
        keys: other configuration keys (``lr=1e-3``, ``env_args={"rows": 2}``, ``local_results_path="out"``).

    Raises:
        UserError: anything unknown, of the wrong type or out of range, data that do not fit, or a folder that cannot be
            written; before anything is written, if it can be known then.
        Diverged: training came to something that is not finite; the sentence says what was saved.
    """
    began, record, verbose = time.monotonic(), flag("record", record), flag("verbose", verbose)
    for name in ELSEWHERE.keys() & keys.keys():
        raise UserError(f"train() does not take '{name}'; use {ELSEWHERE[name]}.")
    arrays = dataset if isinstance(dataset, OfflineDataset) else None
    if isinstance(dataset, OfflineDataset):
        dataset = place_of(dataset, keys.get("datasets_path"))
    if seed is None and (path := keys.get("checkpoint_path")):
        seed = checkpoint.find_whole(named("checkpoint_path", path), 0)[1]["config"].get("seed")
    given = {**({} if dataset is None else {"dataset": named("dataset", dataset)}),
             "seed": checked_seed(0 if seed is None else seed), **({} if t_max is None else {"t_max": t_max}), **keys}
    words = [word(key, value) for key, value in given.items()]
    config = resolve(named("method", method), named("game", game), words)
    if config["runner"] == "record":
        raise UserError("train() does not record; use runner=record on the command line.")
    if arrays is not None and not Path(config["dataset"]).exists():
        keep(arrays, Path(config["dataset"]))
    said = Words(verbose)
    with undisturbed():
        if record:
            from .recording import recorded  # here: Sacred takes a second

            facts, values, series, model, place = recorded(method, game, words, verbose, said.warnings)
        else:
            facts, values, series, model, place = _alone(config, said)
    for sentence in said.warnings:
        warnings.warn(sentence, stacklevel=2)
    row = row_of(config, facts, time.monotonic() - began, method, game, words)
    return TrainedRun(method, game, config["dataset"], config["seed"], Evaluation.of(facts, values),
                      {name: Series(np.array(times, np.int64), np.array(each, np.float64))
                       for name, (times, each) in series.items()},
                      model, config, tuple(said.warnings), row, place)


def _alone(config: dict[str, Any], said: Words) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], Path, None]:
    """A run without a record; returns as :func:`.recording.recorded`."""
    quiet = logging.Logger("epymarl_cpa.rehearsal", logging.CRITICAL)
    rehearse(config, quiet)
    results = named_path(config["local_results_path"], "local_results_path")
    need_folder(results)
    logger = logging.Logger("epymarl_cpa.train", logging.INFO)  # registered nowhere
    logger.addHandler(said)
    trial = prepare(config, None, logger)
    facts = trial.run()
    return facts, trial.results, trial.watch.series, (results / "models" / trial.name).absolute(), None
