"""What Sacred records of whole, failed, interrupted and simultaneous runs, in each of the places it can record in."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from mongo import server
from outcome import Outcome

from epymarl_cpa.cli import main
from epymarl_cpa.run import Trial

pytestmark = pytest.mark.thorough

Run = Callable[..., Outcome]
RECORD = Path("results/sacred/ar_bc/xor/1")
WORDS = ("t_max=8", "test_interval=4", "save_model_interval=")


@dataclass
class Entry:
    """One run as a place has it."""

    id: Any
    status: str
    result: Any
    words: str
    info: dict[str, Any]
    artifacts: list[str]
    config: dict[str, Any]
    metrics: dict[str, list[Any]] = field(default_factory=dict)


class Place:
    """Where runs are recorded: Sacred's option for it, and what is there."""

    def __init__(self, option: tuple[str, ...], entries: Callable[[], list[Entry]]) -> None:
        self.option, self.entries = option, entries


def folders(base: Path) -> list[Entry]:
    def entry(folder: Path) -> Entry:
        run = Outcome(0, folder, None).record("run")
        info = folder / "info.json"
        return Entry(folder.name, run["status"], run.get("result"), (folder / "cout.txt").read_text(),
                     json.loads(info.read_text()) if info.exists() else {}, run["artifacts"],
                     Outcome(0, folder, None).record("config"), Outcome(0, folder, None).series())

    return [entry(folder) for folder in sorted(base.glob("[0-9]*"))]


def rows() -> list[Entry]:
    with sqlite3.connect("runs.db") as db:
        names: dict[str, list[str]] = {}
        for run, name in db.execute("select run_id, filename from artifact order by artifact_id"):
            names.setdefault(run, []).append(name)
        return [Entry(number, status, result, words, json.loads(info or "{}"), names.get(number, []),
                      json.loads(config))
                for number, status, result, words, info, config in
                db.execute("select run_id, status, result, captured_out, info, config from run order by id")]


def documents() -> list[Entry]:
    runs = json.loads(Path("tiny/metadata.json").read_text())["runs"].values()
    return [Entry(run["_id"], run["status"], run.get("result"), run["captured_out"], run["info"],
                  [each[0] for each in run["artifacts"]], run["config"]) for run in runs]


def over_the_wire(port: int) -> list[Entry]:
    import pymongo

    with pymongo.MongoClient("127.0.0.1", port) as client:
        series: dict[int, dict[str, list[Any]]] = {}
        for one in client.study.metrics.find():
            points = list(zip(one["steps"], one["values"], strict=True))
            assert one["name"] not in series.setdefault(one["run_id"], {})
            series[one["run_id"]][one["name"]] = points
        return [Entry(run["_id"], run["status"], run.get("result"), run["captured_out"], run["info"],
                      [each["name"] for each in run["artifacts"]], run["config"], series.get(run["_id"], {}))
                for run in client.study.runs.find().sort("_id", 1)]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with server() as number:
        yield number


@pytest.fixture(params=["folder", "sql", "tinydb", "mongo"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    for kind, module in (("sql", "sqlalchemy"), ("tinydb", "tinydb_serialization"), ("mongo", "nx_27017")):
        if request.param == kind and find_spec(module) is None:
            pytest.skip(f"needs {module}")
    if request.param == "folder":
        return Place(("-F", "runs"), lambda: folders(Path("runs")))
    if request.param == "sql":
        return Place(("-s", "sqlite:///runs.db"), rows)
    if request.param == "tinydb":
        return Place(("-t", "tiny"), documents)
    import pymongo

    number = request.getfixturevalue("port")
    with pymongo.MongoClient("127.0.0.1", number) as client:
        client.drop_database("study")
        for name in ("runs", "metrics"):
            client.study[name].delete_many({})
    return Place(("-m", f"127.0.0.1:{number}:study"), lambda: over_the_wire(number))


def points(entry: Entry, key: str) -> list[tuple[int, float]]:
    """A series as ``info`` has it."""
    return list(zip(entry.info[f"{key}_T"], entry.info[key], strict=True))


def test_a_whole_run(place: Place, tiny_run: Run) -> None:
    outcome = tiny_run(*WORDS, options=place.option)
    entry, = place.entries()
    result = outcome.result()
    assert (entry.status, entry.result) == ("COMPLETED", result["headline"])
    assert entry.info["result"] == result
    assert entry.artifacts == ["manifest.json", "data.json", "row.jsonl"]
    assert entry.config["seed"] == 1
    for words in ("data: xor medium", "test return", "model: results/models/", "Result: ", "Completed after"):
        assert entry.words.count(words) >= 1, words
    series = outcome.series()
    assert [t for t, _ in series["test_return_mean"]] == [0, 4, 8]
    for key, told in series.items():
        assert points(entry, key) == told
        if entry.metrics:
            assert entry.metrics[key] == told
    assert entry.info["test_return_episodes"] == outcome.record("info")["test_return_episodes"]


def test_runs_in_one_place_have_numbers_of_their_own(place: Place, tiny_run: Run) -> None:
    """Whatever numbers they have elsewhere."""
    for alg in ("bc", "ar_bc", "bc"):
        tiny_run("t_max=2", alg=alg, options=place.option)
    assert sorted(str(path.parent) for path in Path("results").rglob("run.json")) == [
        "results/sacred/ar_bc/xor/1", "results/sacred/bc/xor/1", "results/sacred/bc/xor/2"]
    entries = place.entries()
    assert [entry.status for entry in entries] == ["COMPLETED"] * 3
    assert len({entry.id for entry in entries}) == 3


def test_a_failed_run(place: Place, tiny_run: Run) -> None:
    tiny_run("lr=1e30", "t_max=20", options=place.option, status=2)
    for entry in (*place.entries(), *folders(RECORD.parent)):
        assert entry.status == "FAILED"
        assert "data: xor medium" in entry.words
        assert "Error: training diverged" in entry.words


def test_an_interrupted_run_goes_on_under_its_number(place: Place, tiny_run: Run,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_run(*WORDS).series()
    learn = Trial._learn

    def stopped(self: Trial) -> None:
        learn(self)
        if self.runner.t_env == 6:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Trial, "_learn", stopped)
        tiny_run(*WORDS, options=place.option, status=130)
    entry, = place.entries()
    assert entry.status == "INTERRUPTED"
    assert "interrupted at t_env 6" in entry.words
    assert [t for t, _ in points(entry, "test_return_mean")] == [0, 4]
    assert main(["main.py", *place.option, "with", "resume=last"]) == 0
    again, = place.entries()
    assert (again.id, again.status) == (entry.id, "COMPLETED")
    for key, told in whole.items():
        assert points(again, key) == told
        if again.metrics:
            assert again.metrics[key] == told


@pytest.mark.parametrize("place", ["sql", "mongo"], indirect=True)
def test_a_run_of_another_database_is_left_as_it_is(place: Place, tiny_run: Run,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers begin at 1 in every database: one that is resumed with another has the number of somebody else's.

    TinyDB gives no number twice.
    """
    kind, where = place.option
    tiny_run("seed=7", *WORDS, options=place.option)
    stranger, = place.entries()
    elsewhere = where.replace("runs.db", "other.db") if kind == "-s" else where.replace("study", "other")
    tiny_run("t_max=4", "test_interval=4", "save_model_interval=", options=(kind, elsewhere))
    capsys.readouterr()
    assert main(["main.py", *place.option, "with", "resume=results/sacred/ar_bc/xor/2", "t_max=8"]) == 0
    assert "is another one, or nothing tells that it is this one" in capsys.readouterr().out
    again, mine = place.entries()
    assert again == stranger
    assert mine.id != stranger.id and mine.status == "COMPLETED" and mine.config["seed"] == 1
    assert [t for t, _ in points(mine, "test_return_mean")] == [0, 4, 8]


def test_runs_at_the_same_time(place: Place, tiny_run: Run) -> None:
    tiny_run("t_max=2")  # the data are there
    children = []
    for seed in (1, 2, 3):
        child = os.fork()
        if child == 0:
            signal.alarm(100)
            os._exit(main(["main.py", "--config=bc", "--env-config=xor", *place.option, "with", f"seed={seed}",
                           "t_max=2", "recipes.medium.episodes=40", "test_nepisode=2"]))
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    for entries in (place.entries(), folders(Path("results/sacred/bc/xor"))):
        assert sorted((entry.status, entry.config["seed"]) for entry in entries) == [
            ("COMPLETED", 1), ("COMPLETED", 2), ("COMPLETED", 3)]
        assert len({entry.id for entry in entries}) == 3


# --------------------------------------------------------------------------------------------- what is said
def test_warnings_and_what_is_printed_are_recorded_too(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    test = Trial.test

    def talking(self: Trial) -> None:
        test(self)
        print("printed")
        print("to stderr", file=sys.stderr)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda *args: sys.stderr.write(warnings.formatwarning(*args[:4]))
            warnings.warn("look out", stacklevel=1)
        self.console.warning("a word")

    monkeypatch.setattr(Trial, "test", talking)
    tiny_run("t_max=2")
    said = (RECORD / "cout.txt").read_text()
    assert all(said.count(words) == 2 for words in ("printed\n", "to stderr\n", "UserWarning: look out", "a word\n"))


def test_what_made_a_run_is_recorded(tiny_run: Run) -> None:
    tiny_run()
    experiment = json.loads((RECORD / "run.json").read_text())["experiment"]
    assert {f"{name}=={importlib.metadata.version(name)}" for name in ("torch", "numpy", "epymarl-cpa", "sacred")} <= \
        set(experiment["dependencies"])
    assert [source for source, _ in experiment["sources"]] == ["cli.py"]


@pytest.mark.skipif(find_spec("lbforaging") is None, reason="needs lbforaging")
def test_so_is_the_package_of_the_environment(tiny_run: Run) -> None:
    tiny_run("dataset=random", "recipes.random.episodes=5", "t_max=1", "test_nepisode=1", "env_args.time_limit=5",
             "env_args.key=lbforaging:Foraging-5x5-2p-1f-v3", alg="bc", env="gymma")
    run, = Path("results/sacred/bc").glob("*/1/run.json")
    assert f"lbforaging=={importlib.metadata.version('lbforaging')}" in json.loads(run.read_text())["experiment"][
        "dependencies"]


def test_the_row_can_be_reported(tiny_run: Run) -> None:
    from epymarl_cpa.experiments.rows.reading import read_rows

    result = tiny_run().result()
    row, = read_rows([RECORD / "row.jsonl"])
    assert row["headline"] == result["headline"] and row["made_by"] == result["made_by"]
    assert len(json.loads((RECORD / "data.json").read_text())["digest"]) == 64


def test_the_row_of_a_method_of_ones_own_bears_its_name(tiny_run: Run) -> None:
    """Two methods are never one in a table because one extends the other."""
    from epymarl_cpa.experiments.rows.reading import read_rows

    Path("mine.yaml").write_text("extends: bc\nlr: 0.01\n")
    place = tiny_run(alg="./mine.yaml").sacred
    assert place
    row, = read_rows([place / "row.jsonl"])
    assert row["alg"] == "./mine.yaml"


def test_a_row_tells_what_was_changed_and_of_which_game(tiny_run: Run) -> None:
    """Rows of other settings or another game are never put together with it."""
    from epymarl_cpa.experiments.rows.names import game_of, settings_of_row
    from epymarl_cpa.experiments.rows.reading import read_rows

    words = ("recipes.medium.episodes=", "recipes.good.episodes=20", "dataset=good", "env_args.problem=recycling",
             "env_args.episode_limit=2", "lr=0.01", "use_tensorboard=false", "seed=3")
    place = tiny_run(*words, alg="bc", env="dpomdp").sacred
    assert place
    row, = read_rows([place / "row.jsonl"])
    assert (row["alg"], row["env"], row["dataset"], row["seed"]) == ("bc", "dpomdp", "good", 3)
    assert "lr=0.01" in settings_of_row(row) and game_of(row) == "dpomdp problem=recycling episode_limit=2"
    assert not [word for word in row["with"] if word.startswith(("use_tensorboard", "dataset", "seed"))]


def test_every_test_episode_is_there(tiny_run: Run) -> None:
    outcome = tiny_run("test_nepisode=20", env="aloha")
    info = outcome.record("info")
    assert len(info["test_return_episodes"]) == len(info["test_messages_sent_episodes"]) == 20
    assert sum(info["test_return_episodes"]) / 20 == pytest.approx(outcome.result()["return"])


# ------------------------------------------------------------------------------------- what cannot be used
@pytest.mark.parametrize(("option", "module", "extra"), [
    ("-m", "pymongo", "mongo"), ("-s", "sqlalchemy", "sql"), ("-t", "tinydb", "tinydb")])
def test_a_library_that_is_missing_is_named(option: str, module: str, extra: str, tiny_run: Run,
                                            monkeypatch: pytest.MonkeyPatch,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module or "hashfs.bases" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    tiny_run(options=(option, "study"), status=2)
    err = capsys.readouterr().err.strip()
    assert err.endswith(f"needs {module}: pip install 'epymarl-cpa[{extra}]'.")
    assert "\n" not in err
    assert not list(Path("results").rglob("run.json"))


@pytest.mark.parametrize(("option", "value", "sentence", "module"), [
    ("-m", "127.0.0.1:9:study", "no MongoDB server has answered at --mongo_db=127.0.0.1:9:study within", "pymongo"),
    ("-m", "9 bad", "--mongo_db=9 bad is no address; it has the form [host:port:]database", "pymongo"),
    ("-s", "nosuch://me:secret@here", "--sql=nosuch://me:...@here is no database that can be reached", "sqlalchemy"),
    ("-s", "sqlite:////nowhere/runs.db", "no database that can be reached", "sqlalchemy"),
    ("-t", "taken/tiny", "--tiny_db=taken/tiny is no database that can be reached", "tinydb_serialization"),
    ("-F", "taken/runs", "the run cannot be recorded in taken/runs (Not a directory)", "sacred"),
    ("-i", "1", "results/sacred/ar_bc/xor holds a run 1 already; leave out --id", "sacred")])
def test_a_place_that_is_none(option: str, value: str, sentence: str, module: str, tiny_run: Run,
                              monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if find_spec(module) is None:
        pytest.skip(f"needs {module}")
    monkeypatch.setattr("epymarl_cpa.records.experiment.SECONDS", 0.3)
    Path("taken").write_text("a file in the way")
    tiny_run(options=("-i", "1"))
    capsys.readouterr()
    tiny_run(options=(option, value), status=2)
    err = capsys.readouterr().err.strip()
    assert sentence in err
    assert "\n" not in err and "secret" not in err


def test_a_number_of_ones_own(tiny_run: Run) -> None:
    tiny_run(options=("-i", "77", "-F", "runs"))
    assert Path("results/sacred/ar_bc/xor/77").is_dir() and Path("runs/77").is_dir()


def test_artifacts_in_tinydb_are_kept(tiny_run: Run) -> None:
    pytest.importorskip("tinydb_serialization")
    tiny_run(options=("-t", "tiny"))
    from sacred.observers.tinydb_hashfs import TinyDbReader

    files = TinyDbReader("tiny").fetch_files(indices=0)[0]["artifacts"]
    assert json.loads(files["row.jsonl"].read())["seed"] == 1
