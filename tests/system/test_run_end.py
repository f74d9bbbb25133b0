"""What a run says at its end, and that what it proposes can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from outcome import Outcome

from epymarl_cpa.main import entry
from epymarl_cpa.records.following import following, program

Run = Callable[..., Outcome]


def end_of(run: Outcome) -> tuple[list[str], list[str]]:
    """The lines of a run's summary, and the commands that it proposes."""
    assert run.sacred is not None
    said = (run.sacred / "cout.txt").read_text()
    summary = re.search(r" seed \d+:\n((?:  .*\n)+)", said)
    proposed = re.search(r"next:\n((?:  .*\n)+)", said)
    assert summary is not None
    return summary[1].splitlines(), [] if proposed is None else [line.strip() for line in proposed[1].splitlines()]


def typed(command: str) -> int:
    """Exit status of a command of this program."""
    python, *words = shlex.split(command)
    assert (python, words[0]) == ("python", "main.py")
    return entry(words)


def test_a_teacher_ends_with_its_result_and_the_way_on(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = tiny_run("test_greedy=false", "hidden_dim=6", "env_args.n_agents=2", alg="cpa_ar")
    lines, commands = end_of(teacher)
    result = teacher.result()
    values = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in lines)
    assert values["return"] == f"{result['headline']:.4f}  (optimum 1.0000, random play 0.5000)"
    assert values["score"] == f"{result['score']:.4f}  (0: random play, 1: optimum)"
    assert values["diversity"].startswith(f"{result['joint_entropy']:.2f} bits")
    assert values["model"] == f"{teacher.models}/6"
    assert values["record"] == str(teacher.sacred)
    assert values["data"].startswith("datasets/xor-medium-seed1-")
    assert len({re.match(r"  \S+ +", line).end() for line in lines}) == 1, "aligned"  # type: ignore[union-attr]
    assert len(lines) + len(commands) + 2 <= 15
    assert teacher.record("run")["result"] == result["headline"], "Sacred's result is one number"

    evaluate, students, film, page, export = commands
    for command in (film, page, export):
        assert typed(command) == 0
        assert Path(command.rpartition("--out=")[2]).stat().st_size > 100
    before = capsys.readouterr().out
    assert typed(evaluate) == 0
    assert f"score      {result['score']:.4f}" in before and f"{result['score']:.4f}" in capsys.readouterr().out
    assert typed(f"{students} student_t_max=2 pool_hidden=6") == 0
    out = capsys.readouterr().out
    assert f"teacher: {teacher.models}" in out
    assert re.search(r"\n  teacher +\d\.\d{4} away from it \(total variation\), \d+ % of its joint actions kept\n", out)


def test_students_show_two_keys(tiny_run: Run) -> None:
    assert end_of(tiny_run("t_max=2", "student_t_max=2", "pool_hidden=6", alg="cpa_pa"))[1][1].endswith("--keys=2")


@pytest.mark.parametrize(("words", "commands"), [(("evaluate=true",), 0), (("t_max=3",), 4)])
def test_only_what_fits_is_proposed(words: tuple[str, ...], commands: int, tiny_run: Run) -> None:
    assert len(end_of(tiny_run(*words))[1]) == commands


def test_a_teacher_that_remembers_can_teach_nobody(tiny_run: Run) -> None:
    assert len(end_of(tiny_run("use_rnn=true", "policy_input=obs", alg="cpa_ar"))[1]) == 4


def test_other_units_than_the_return_come_with_it(tiny_run: Run) -> None:
    lines, _ = end_of(tiny_run("env_args.rows=1", "env_args.cols=2", "env_args.episode_limit=5", env="aloha"))
    assert re.fullmatch(r"  return         -?\d+\.\d{4}  \(optimum \d\.\d{4}\)", lines[0])
    assert re.fullmatch(r"  messages sent  \d+\.\d{4}  \(optimum \d\.\d{4}, random play \d\.\d{4}\)", lines[1])


@pytest.mark.parametrize(("script", "words"), [("src/main.py", "python src/main.py"),
                                               ("/usr/bin/epymarl-cpa", "epymarl-cpa"),
                                               ("/x/epymarl_cpa/__main__.py", "python -m epymarl_cpa")])
def test_the_program_is_named_as_it_was_started(script: str, words: str) -> None:
    assert program(script) == words


def test_without_a_model_nothing_is_proposed(tiny_run: Run) -> None:
    run = tiny_run("t_max=1")
    assert following("main.py", run.record("config"), "xor", [], "") == []
    resumed = following("main.py", run.record("config"), "", [], "m")
    assert resumed[0] == "python main.py evaluate m"
