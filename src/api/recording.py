"""Runs from Python that Sacred records."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from sacred import SETTINGS

from ..cli import build
from ..errors import UserError
from ..records.experiment import records_of
from ..utils.sacred_error import Error
from .saying import Words


def recorded(method: str, game: str, words: Sequence[str], verbose: bool, warnings: list[str],
             ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], Path, Path | None]:
    """A run as the command line makes it.

    Args:
        method, game: values of ``--config`` and ``--env-config``.
        words: what changes their settings.
        verbose: whether the run tells of itself here, and not only in its record.
        warnings: is given those of the run.

    Returns:
        Its result, its last evaluation's values, its series (times and values), its model folder, Sacred's record.

    Raises:
        UserError: as of the command line.
    """
    with _sacred_as_it_was(), redirect_stdout(sys.stdout if verbose else StringIO()):
        experiment, line = build(["epymarl-cpa", f"--config={method}", f"--env-config={game}", "with", *words])
        said = Words(False)
        experiment.logger.addHandler(said)
        try:
            run = experiment.run_commandline(line)
        except SystemExit as end:  # how Sacred ends a failed run; its context holds the reason
            error = end.__context__
            if isinstance(error, Error):  # made of the mistake for Sacred's sake
                error = error.__context__ if isinstance(error.__context__, UserError) else UserError(str(error))
            raise (error or end) from None
        finally:
            warnings += said.warnings
    info: dict[str, Any] = run.info
    series = {name: (info[f"{name}_T"], values) for name, values in info.items() if f"{name}_T" in info}
    values = {name.removeprefix("test_").removesuffix("_episodes"): np.array(each) for name, each in info.items()
              if name.startswith("test_") and name.endswith("_episodes")}
    place = next((Path(where).absolute() for kind, where in records_of(run) if kind == "Folder"), None)
    return info["result"], values, series, Path(info["model"]).parent.absolute(), place


@contextmanager
def _sacred_as_it_was() -> Iterator[None]:
    """Leaves Sacred's settings and the program's logger as they were."""
    logger = logging.getLogger("epymarl_cpa")
    before = [*logger.handlers], logger.level, logger.propagate
    mode, read_only = SETTINGS["CAPTURE_MODE"], SETTINGS["CONFIG"]["READ_ONLY_CONFIG"]
    try:
        yield
    finally:
        SETTINGS["CAPTURE_MODE"], SETTINGS["CONFIG"]["READ_ONLY_CONFIG"] = mode, read_only
        logger.handlers[:], logger.level, logger.propagate = before[0], before[1], before[2]
