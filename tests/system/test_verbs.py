"""One command with verbs: short forms, help, lists, and mistakes that are told before anything large is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import own
import pytest
from outcome import Outcome

from epymarl_cpa import cli
from epymarl_cpa.commands import dispatch, training
from epymarl_cpa.commands.helping import COMMANDS, OURS
from epymarl_cpa.commands.listing import LISTS, main
from epymarl_cpa.commands.training import LINES
from epymarl_cpa.commands.verbs import VERBS
from epymarl_cpa.config import resolve
from epymarl_cpa.config.early import check_early
from epymarl_cpa.config.files import names
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.sweeps.grid import count_runs, read_grid
from epymarl_cpa.records.options import OPTIONS

#: runs commands where nothing that takes seconds can be imported; prints their exit statuses
WITHOUT = """
import sys
for name in ("torch", "sacred", "pandas", "matplotlib", "ray", "scipy"):
    sys.modules[name] = None
from epymarl_cpa.main import entry
for line in sys.stdin.read().splitlines():
    try:
        status = entry(["epymarl-cpa", *line.split()])
    except SystemExit as end:
        status = end.code
    print(f"\\n<{line}> {status}", flush=True)
"""
QUICK = {
    **dict.fromkeys(("--help", "help", "list", "list games", "explain lr alpha env_args.rows", "explain cpa_pa sensor",
                     "explain train", "help train"), 0),
    **dict.fromkeys((f"{verb} --help" for verb in VERBS), 0),
    **dict.fromkeys(("", "trian cpa_ar xor", "train", "train cpa_ar", "train cpa_arr xor", "train cpa_ar xorr",
                     "train cpa_ar xor learning_rate=3", "train cpa_ar xor lr=fast", "train cpa_ar xor lr",
                     "train cpa_ar xor env_args.n_agent=3", "--config=cpa_ar --env-config=xor with weihgt=chain",
                     "--config=cpa --env-config=xor", "evaluate", "evaluate nowhere", "list gamse", "explain alhpa",
                     "install", "install a b", "sweep", "report", "data", "export"), 2)}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_lists_and_mistakes_do_without_torch_and_sacred(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], input="\n".join(QUICK), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    for line, status in QUICK.items():
        assert f"\n<{line}> {status}\n" in done.stdout, line
    assert "Error: unknown command 'trian' (did you mean 'train'?)" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_new_file_is_listed_and_explained_because_it_is_there(tmp_path: Path) -> None:
    copy, _ = own.copy_with(tmp_path, "Your own game")
    (copy / "config/algs/mine.yaml").write_text("# A push of mine: CQL, but gentler.\nextends: cql\nname: mine\n")
    (copy / "config/algs/broken.yaml").write_text("# Broken.\nextends: nothing\n")
    code = "import sys; from epymarl_cpa.main import entry; " \
           "[entry(['epymarl-cpa', *line.split()]) for line in sys.argv[1:]]; assert 'torch' not in sys.modules"
    out = own.run(copy, tmp_path, "-c", code, "list methods games", "explain mine crate env_args.length")
    text = " ".join(out.split())
    assert "mine independently A push of mine: CQL, but gentler" in text
    assert "broken - unknown --config=nothing" in text
    assert "crate 2 x 2 - " in text
    assert "extends qmix_offline, cql" in text


# ------------------------------------------------------------------------------------------------------ help
def test_help_names_ours_first_and_all_that_sacred_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch.entry(["epymarl-cpa", "--help"]) == 0
    out = capsys.readouterr().out
    places = [out.index(f"\n  {verb} ") for verb in VERBS]
    places += [out.index(f"\n  {option}") for option in OURS] + [out.index("\n  print_config"), out.index("\n  -F, ")]
    assert places == sorted(places)
    experiment, _ = cli.build(["main.py", "--config=bc", "--env-config=xor", "print_config"])
    usage = experiment.get_usage()[2]
    theirs = {line.split()[0]: line.split()[1:] for line in usage.splitlines() if line.strip().startswith("-")}
    shown = {short: long.partition("=") for short, long, _ in OPTIONS}
    assert set(shown) == set(theirs)
    for short, words in theirs.items():
        long, valued, _ = shown[short]
        assert any(word.partition("=")[0] == long for word in words), short
        assert bool(valued) == any("=" in word for word in words if word.startswith("--")), short
    assert set(COMMANDS) == {name for name, _ in experiment.gather_commands()}


@pytest.mark.parametrize("verb", [verb for verb, entry in VERBS.items() if entry.example])
def test_examples_begin_with_their_verb(verb: str) -> None:
    assert VERBS[verb].example.split()[0] == verb


# ----------------------------------------------------------------------------------------------------- lists
def test_lists_hold_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "epymarl-cpa list data; epymarl-cpa list sweeps" in capsys.readouterr().out
    assert main([*LISTS]) == 0
    out = capsys.readouterr().out
    firsts = {line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")}
    assert {name for kind in ("algs", "envs", "sweeps") for name in names(kind)} | {"tensorboard"} <= firsts


def test_lists_tell_how_methods_act_and_what_games_need(capsys: pytest.CaptureFixture[str],
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("epymarl_cpa.commands.catalogue.is_installed", lambda name: False)
    assert main(["methods", "games", "data", "sweeps"]) == 0
    text = capsys.readouterr().out
    for words in ("cpa_pa by the agreement key CPA's policy agreement (stage 2)", "oryx in sequence Sequential ICQ",
                  "kd independently", "sensor 15 x 9 - fifteen sensors",
                  "rware 2 x 5 rware (not installed: pip install 'epymarl-cpa[tasks]')",
                  "bridge poor 1000 crossing 0.1, random 0.9", "smoke 40 Every method once"):
        assert words in " ".join(text.split()), words


def test_there_is_no_other_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gaems"]) == 2
    assert "no list of 'gaems' (did you mean 'games'?)" in capsys.readouterr().err
    assert {"methods", "games", "data", "sweeps", "observers"} == set(LISTS)


@pytest.mark.parametrize("name", ["figure5", "key"])  # with teachers of the same sweep, and of another
def test_runs_are_counted_as_they_are_made(name: str) -> None:
    assert count_runs(name) == len(read_grid(name))


# ----------------------------------------------------------------------------------------------- short forms
@pytest.mark.parametrize(("words", "line"), [
    ("train cpa_ar xor", "--config=cpa_ar --env-config=xor"),
    ("train cpa_ar xor lr=1 seed=3", "--config=cpa_ar --env-config=xor with lr=1 seed=3"),
    ("train mine.yaml ./xor with lr=1", "--config=mine.yaml --env-config=./xor with lr=1"),
    ("train bc xor -F there lr=1 --name=x -m host:db=1 print_config",
     "--config=bc --env-config=xor -F there --name=x -m host:db=1 print_config with lr=1"),
    ("train --config=bc --env-config=xor with lr=1", "--config=bc --env-config=xor with lr=1"),
    ("resume", "with resume=last"), ("resume last t_max=9", "with resume=last t_max=9"),
    ("resume results/x -F there", "-F there with resume=results/x"), ("resume t_max=9", "with resume=last t_max=9"),
    ("evaluate . test_nepisode=9 -u", "--evaluate=. -u with test_nepisode=9")])
def test_short_forms_are_long_lines(words: str, line: str) -> None:
    verb, *rest = words.split()
    assert LINES[verb](rest) == line.split()


@pytest.mark.parametrize("words", ["train", "train bc", "train lr=1 bc", "train bc with lr=1", "evaluate",
                                   "evaluate lr=1", "evaluate there"])
def test_what_must_be_there_is_told(words: str) -> None:
    verb, *rest = words.split()
    with pytest.raises(UserError, match=r"train needs|evaluate needs|there is no model there"):
        LINES[verb](rest)


@pytest.mark.parametrize("words", [
    ("cpa_ar", "xor", "weihgt=chain"), ("cpa_ar", "xor", "lr=x"), ("cpa_ar", "xor", "lr=1", "lr=2"),
    ("cpa_ar", "xor", "env_args.n_agnets=3"), ("cpa_ar", "xor", "env_args=3"), ("cpa_ar", "xor", "env_args.n_agents=x"),
    ("cpa_ra", "xor"), ("cpa_ar", "xro"), ("bc", "xor", "alpha=3"), ("cpa_pa", "xor", "key=prio"),
    ("cpa_ar", "xor", "weight=chian"), ("bc", "xor", "quick"), ("bc", "xor", "lr.x=3")])
def test_mistakes_are_told_early_in_the_same_words(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as late:
        resolve(words[0], words[1], words[2:])
    with pytest.raises(UserError) as early:
        check_early(words[0], words[1], words[2:])
    assert str(early.value) == str(late.value)


@pytest.mark.parametrize("alg", names("algs"))
def test_nothing_is_refused_early_that_is_right(alg: str) -> None:
    for env in ("bridge", "dpomdp", "lbf"):
        check_early(alg, env, ["seed=3", "env_args.seed=3"])


def test_what_goes_together_is_left_to_the_whole_check() -> None:
    check_early("bc", "xor", ["learner=maicq_learner"])
    check_early("bc", "xor", ["mac=scripted_mac", "team=nobody"])


def test_a_model_is_evaluated_with_its_own_configuration(tiny_run: Callable[..., Outcome], tmp_path: Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run("t_max=4", "env_args.n_agents=3", "env_args.bb_reward=-2")
    model = str(trained.models)
    capsys.readouterr()
    assert dispatch.entry(["epymarl-cpa", "evaluate", model, "test_nepisode=3", "local_results_path=again"]) == 0
    record, = Path("again").glob("sacred/*/*/1")
    text = (record / "config.json").read_text(encoding="utf-8")
    for words in ('"evaluate": true', '"test_nepisode": 3', '"n_agents": 3', '"bb_reward": -2.0'):
        assert words in text, words


def test_evaluation_takes_no_other_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["main.py", "--config=bc", "--env-config=xor", "--evaluate=there"]) == 2
    assert "leave out --config and --env-config" in capsys.readouterr().err
    assert cli.main(["main.py", "--evaluate=there"]) == 2
    assert "model=there holds no checkpoint" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------- dispatch
def test_verbs_and_lines_go_where_they_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(dispatch, "_main_of", lambda module, name="": lambda words: asked.append(
        (module, list(words))) or 0)
    monkeypatch.setattr(training, "long_line", lambda words: asked.append(("long", list(words))) or 0)
    for line in ("data make x", "export m --out=a", "sweep smoke", "install there", "--epymarl there --config=qmix",
                 "train --epymarl=there", "print_config --config=bc --env-config=xor", "with resume=last",
                 "--config=bc --env-config=xor with lr=1", "train bc xor lr=1"):
        assert dispatch.entry(["e", *line.split()]) == 0
    assert asked == [
        ("data.__main__", ["make", "x"]), ("deploy.__main__", ["export", "m", "--out=a"]),
        ("experiments.sweep", ["smoke"]), ("host.launcher", ["e", "install", "there"]),
        ("host.launcher", ["e", "--epymarl", "there", "--config=qmix"]),
        ("host.launcher", ["e", "train", "--epymarl=there"]),
        ("long", ["e", "print_config", "--config=bc", "--env-config=xor"]), ("long", ["e", "with", "resume=last"]),
        ("long", ["e", "--config=bc", "--env-config=xor", "with", "lr=1"]),
        ("long", ["e", "--config=bc", "--env-config=xor", "with", "lr=1"])]


def test_every_verb_has_its_module() -> None:
    for verb in VERBS.values():
        assert verb.module == "commands.training" or callable(dispatch._main_of(verb.module))
