"""Command line: ``python src/main.py --config=cpa_ar --env-config=sensor [with key=value ...]``, or a verb.

The long line is a Sacred experiment, with all of Sacred's own commands and options.  :mod:`epymarl_cpa.commands` knows
the verbs; ``--epymarl DIR``, ``install DIR`` and ``uninstall DIR`` are about running inside a checkout of EPyMARL (see
:mod:`epymarl_cpa.host`).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

if os.name != "posix":
    sys.exit("Error: epymarl-cpa needs Linux or macOS: it locks files as these do. On Windows, use WSL.")

if not __package__:  # run as a script: be the module of the package that this folder is
    _src = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != _src]
    _spec = importlib.util.spec_from_file_location("epymarl_cpa", _src / "__init__.py",
                                                   submodule_search_locations=[str(_src)])
    assert _spec is not None and _spec.loader is not None
    _package = importlib.util.module_from_spec(_spec)
    sys.modules["epymarl_cpa"] = _package
    _spec.loader.exec_module(_package)
    __package__ = "epymarl_cpa"

from .commands import dispatch


def entry(argv: Sequence[str] | None = None) -> int:
    """The program.

    Args:
        argv: the command line with the program's name first; by default that of this process.

    Returns:
        The exit status: 0 on success, 1 for a failure, 2 for a user's mistake (told in one sentence), 130 after
        SIGINT or SIGTERM.
    """
    return dispatch.entry(sys.argv if argv is None else argv)


if __name__ == "__main__":
    sys.exit(entry())
