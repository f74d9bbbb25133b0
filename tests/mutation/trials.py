"""Which tests run which lines, and which of them notice a mutant."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from time import monotonic  # some tests replace that of the module
from types import CodeType

import coverage
import pytest
from attack.forked import each

from .mutants import Mutant, statement

FIRST = 20  # tests that are tried before the others are even collected
SLACK = 20.0  # seconds that a test, or all those of a mutant, may take beyond ten times what they usually take
MEMORY = 4 << 30  # bytes that a mutant may take beyond those of this process


@dataclass(frozen=True)
class Reach:
    """What one run of all tests has found.

    Attributes:
        seconds: of each test that passes.
        lines: of each file, and of each line that runs, the tests that run it; "" for its import.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]

    @staticmethod
    def of(words: Sequence[str], folders: Sequence[str]) -> Reach:
        """Runs all tests, once, in another process.

        Args:
            words: which, as pytest understands it.
            folders: whose lines are looked at.

        Raises:
            RuntimeError: a test fails.
        """
        def run(_: int) -> tuple[str, str]:
            cover = coverage.Coverage(data_file=None, source=[str(Path(folder).resolve()) for folder in folders],
                                      config_file=False)
            watcher, here = _Watcher(cover), Path.cwd()
            cover.start()
            if _run(words, watcher):
                raise RuntimeError(f"without any fault, tests fail: {watcher.failed or 'pytest itself'}")
            cover.stop()
            data = cover.get_data()
            return json.dumps(asdict(Reach(watcher.seconds, {
                str(Path(file).relative_to(here)): {
                    str(line): [test for test in tests if not test or test in watcher.seconds]
                    for line, tests in data.contexts_by_lineno(file).items()}
                for file in data.measured_files()}))), ""

        tally = each(1, run, 1, 7200)
        if tally.findings:
            raise RuntimeError(tally.findings[0])
        return Reach(**json.loads(next(iter(tally.kinds))))

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Tests that may notice a mutant, the nearest first, of these the fastest.

        All that run the changed statement; where it runs when its file is imported, all that run something of the file,
        and all in files that name it.
        """
        lines = self.lines.get(str(mutant.path), {})
        at_place = [lines.get(str(line), []) for line in statement(mutant.path.read_text(encoding="utf-8"),
                                                                  mutant.line)]
        tests = {test for some in at_place for test in some}
        naming = {file for file in {test.partition("::")[0] for test in self.seconds}
                  if re.search(rf"\b{mutant.path.stem}\b", Path(file).read_text(encoding="utf-8"))}
        if "" in tests:
            tests = {test for tests in lines.values() for test in tests if test} \
                | {test for test in self.seconds if test.partition("::")[0] in naming}
        return sorted(tests, key=lambda test: (test.partition("::")[0] not in naming, self.seconds[test], test))


class _Watcher:
    """Looks on while tests run: which fail, how long each takes; tells coverage which runs, ends one that hangs."""

    def __init__(self, cover: coverage.Coverage | None = None, usual: Mapping[str, float] | None = None) -> None:
        self.cover, self.usual = cover, usual
        self.seconds: dict[str, float] = {}
        self.began, self.failed = 0.0, ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.began = monotonic()
        if self.usual:  # what the signal does by default is to end the process
            signal.setitimer(signal.ITIMER_REAL, SLACK + 10 * self.usual[nodeid])
        if self.cover:
            self.cover.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed and report.when == "call":
            self.seconds[report.nodeid] = monotonic() - self.began
        if report.failed:
            self.seconds.pop(report.nodeid, None)
            self.failed = self.failed or report.nodeid

    def pytest_runtest_logfinish(self) -> None:
        if self.cover:
            self.cover.switch_context("")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or f"collecting {report.nodeid}"


def _run(words: Sequence[str], watcher: _Watcher) -> int:
    """Runs tests in this process, by the same examples every time."""
    from hypothesis import settings
    settings.register_profile("same", derandomize=True, database=None)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return int(pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-profile=same", *words],
                               [watcher]))


def noticed_by(mutant: Mutant, tests: Sequence[str], seconds: Mapping[str, float]) -> str:
    """The first test that fails, or how the process ends; "" if all pass.

    The package is imported by another process, where this one has not; the file on the disk stays as it is, so programs
    that tests start have no fault.
    """
    def attempt(_: int) -> tuple[str, str]:
        _install(mutant)
        watcher = _Watcher(usual=seconds)
        for some in (tests[:FIRST], tests[FIRST:]):
            if some and _run(["-x", *some], watcher):
                return watcher.failed or "pytest itself fails", ""
        return "", ""

    tally = each(1, attempt, 1, SLACK + 10 * sum(seconds[test] for test in tests), MEMORY)
    return tally.findings[0] if tally.findings else next(iter(tally.kinds))


def _install(mutant: Mutant) -> None:
    """Lets this process import the mutant."""
    usual: Callable[[SourceFileLoader, str], CodeType | None] = SourceFileLoader.get_code
    path = mutant.path.resolve()

    def get_code(self: SourceFileLoader, name: str) -> CodeType | None:
        if Path(self.path) != path:
            return usual(self, name)
        return compile(mutant.code, self.path, "exec", dont_inherit=True)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
