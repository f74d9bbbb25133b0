"""Statistics reach every recorder as plain finite numbers."""

from __future__ import annotations

import logging
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th

from epymarl_cpa.errors import UserError
from epymarl_cpa.utils.logging import Logger, get_logger


class SacredRun:
    """Keeps what Sacred would."""

    def __init__(self) -> None:
        self.info: dict[str, list[Any]] = {}
        self.points: list[tuple[str, Any, Any]] = []

    def log_scalar(self, key: str, value: Any, step: Any) -> None:
        self.points.append((key, value, step))


def make() -> tuple[Logger, SacredRun]:
    logger, run = Logger(logging.getLogger("test")), SacredRun()
    logger.setup_sacred(run)
    return logger, run


@pytest.mark.parametrize("value", [2, 2.0, True + 1, np.float64(2), np.float32(2), np.int64(2), th.tensor(2.0)])
def test_values_become_plain_floats_and_times_plain_integers(value: Any) -> None:
    logger, run = make()
    logger.log_stat("x", value, np.int64(7))  # type: ignore[arg-type]
    (key, logged, t), = run.points
    assert (key, logged, t) == ("x", 2.0, 7)
    assert type(logged) is float
    assert type(t) is int
    assert run.info == {"x": [2.0], "x_T": [7]}
    assert type(run.info["x"][0]) is float


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_once_and_left_out(odd: float, caplog: pytest.LogCaptureFixture) -> None:
    logger, run = make()
    for t, value in enumerate([1.0, odd, odd, 2.0]):
        logger.log_stat("x", value, t)
    assert run.points == [("x", 1.0, 0), ("x", 2.0, 3)]
    assert run.info == {"x": [1.0, 2.0], "x_T": [0, 3]}
    assert list(logger.stats["x"]) == [(0, 1.0), (3, 2.0)]
    assert [record.message for record in caplog.records] == [
        "x is not finite at t_env 1; such values are not recorded"]


def test_statistics_may_stay_out_of_sacred() -> None:
    logger, run = make()
    logger.log_stat("x", 1.0, 0, to_sacred=False)
    assert not run.points
    assert not run.info
    assert logger.stats["x"]


def test_memory_does_not_grow() -> None:
    logger = Logger(logging.getLogger("test"))
    for t in range(100):
        logger.log_stat("x", t, t)
    assert len(logger.stats["x"]) == Logger.RECENT


def test_the_summary_shows_recent_means(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logger, _ = make()
    logger.print_recent_stats()  # nothing yet
    for t in range(10):
        logger.log_stat("loss", t, t)
    logger.log_stat("episode", 320, 10)
    logger.print_recent_stats()
    text = caplog.records[-1].message
    assert text.splitlines()[0] == "t_env 10, episode 320"
    assert "loss:" in text
    assert "7.0000" in text, "the mean of 5 .. 9"


def test_tensorboard_is_asked_for_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"needs TensorBoard: pip install 'epymarl-cpa\[tensorboard\]'\.$"):
        Logger(logging.getLogger("test")).setup_tb(tmp_path)


def test_series_reach_tensorboard_too() -> None:
    class Writer:
        points: list[tuple[str, float, int]] = []  # noqa: RUF012 (one writer)
        closed = False

        def add_scalar(self, *point: Any) -> None:
            self.points.append(point)

        def close(self) -> None:
            self.closed = True

    logger, _ = make()
    logger._writer = writer = Writer()
    logger.log_stat("x", 1, 2)
    logger.finish()
    assert writer.points == [("x", 1.0, 2)]
    assert writer.closed


def test_the_console_logger_prints_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        logger = get_logger()
    logger.info("hello %d", 3)
    assert capsys.readouterr().out.count("hello 3") == 1
