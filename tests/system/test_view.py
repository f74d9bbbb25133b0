"""Pages of data sets, runs and sweeps: what is in them, and that nothing in a file can run there."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outcome import Outcome

from epymarl_cpa.config import load_env, resolve
from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.generate import generate
from epymarl_cpa.envs import make_game
from epymarl_cpa.main import entry
from epymarl_cpa.view.columns import packed, unpacked
from epymarl_cpa.view.command import main
from epymarl_cpa.view.document import document
from epymarl_cpa.view.player import player
from epymarl_cpa.view.run_page import _config
from epymarl_cpa.view.story import story

ROOT = Path(__file__).parents[2]
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028'\"&{{program}}"


class Page(HTMLParser):
    """What a browser makes of a page: scripts, tags, and places that it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.policy, self.title, self.scripts, self._open = "", "", list[tuple[dict[str, Any], str]](), ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.loads += [str(found[key]) for key in ("src", "href") if key in found and tag != "a"]
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(found["content"])
        self._open = tag
        if tag == "script":
            self.scripts.append((found, ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        if self._open == "title":
            self.title += data


def view(out: Path, *words: str, capsys: pytest.CaptureFixture[str] | None = None) -> dict[str, Any]:
    """The content of a page that the command wrote."""
    assert main([*words, f"--out={out}"]) == 0, capsys.readouterr().err if capsys else ""
    page = Page(out.read_text(encoding="utf-8"))
    assert not page.loads and page.tags.count("script") == 2 and "img" not in page.tags
    digest = base64.b64encode(hashlib.sha256(page.scripts[1][1].encode()).digest()).decode()
    assert "default-src 'none'" in page.policy and f"script-src 'sha256-{digest}'" in page.policy
    content: dict[str, Any] = json.loads(page.scripts[0][1])
    return content


def made(folder: Path, name: str, episodes: int = 30, **mixture: float) -> OfflineDataset:
    data = generate(make_game(name), {"episodes": episodes, "mixture": mixture}, 0, "mine")
    data.save(folder / f"{name}.npz")
    return data


def test_the_page_of_xor_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = made(tmp_path, "xor", 300, optimal_or_first=1.0)
    content = view(tmp_path / "a.html", str(tmp_path / "xor.npz"), capsys=capsys)
    assert content["verdict"]["headline"] == "Independent agents would play A A: a mismatch"
    state, = content["states"]
    assert state["matrix"][0][0] == next(each["count"] for each in state["joint"] if each["actions"] == [0, 0])
    assert state["greedyToGo"] == 0 and state["mismatch"] > 0.4 and content["returns"]["optimum"] == 1.0
    assert content["returns"]["random"] == 0.5 and content["title"] == "xor · mine"
    assert (unpacked(content["episodes"]["returns"]) == data.returns).all()
    play = content["player"]
    assert (unpacked(play["actions"]) == data.actions.reshape(600, 2)).all() and play["drawn"] == play["shown"] == 300
    assert len(unpacked(play["drawings"]["length"])) == 600
    assert f"select {tmp_path / 'xor.npz'}" in content["command"]


def test_data_of_an_unknown_game_are_shown_as_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = made(tmp_path, "xor", 12, random=1.0)
    arrays = data.arrays
    OfflineDataset(**arrays, meta={"behaviours": [EVIL] * 4}).save(tmp_path / f"{EVIL.replace('/', '')[:40]}.npz")
    source, = (path for path in tmp_path.iterdir() if path.name.startswith("<"))
    content = view(tmp_path / "a.html", str(source))
    assert content["game"] is None and content["player"]["drawings"] is None and content["actions"] == ["0", "1"]
    assert content["episodes"]["behaviours"] == [EVIL] * 4
    assert "The game is not known" in capsys.readouterr().out
    named = view(tmp_path / "b.html", str(source), "--env-config=xor")
    assert named["game"] == "xor" and named["player"]["drawn"] == 12 and named["legend"]
    assert content["command"].endswith(f"select {shlex.quote(str(source))}")
    assert named["command"] == f"{content['command']} --env-config=xor", "by which it has the returns that are shown"


def test_a_recipe_is_made_and_its_file_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = view(tmp_path / "a.html", "good", "--env-config=permutation", "--datasets-path=mine")
    assert re.search(r"select mine/permutation-good-seed0-\w+\.npz$", content["command"])


def test_nothing_in_a_page_can_leave_its_block() -> None:
    page = Page(document({"kind": "sweep", "title": EVIL, "x": [EVIL, float("nan"), {EVIL: float("inf")}]}))
    assert page.tags.count("script") == 2 and "img" not in page.tags and page.title.startswith(EVIL)
    assert json.loads(page.scripts[0][1]) == {"kind": "sweep", "title": EVIL, "x": [EVIL, None, {EVIL: None}]}
    program = page.scripts[1][1]
    assert "innerHTML" not in program and "insertAdjacentHTML" not in program and "eval(" not in program


@pytest.mark.parametrize("values", [
    np.arange(-3, 300).reshape(3, 101), np.array([True, False]), np.zeros((0, 4), dtype=np.float32),
    np.array([0.0, 255.0], dtype=np.float32), np.array([-2.0**31 + 1, 5])])
def test_columns_come_back(values: np.ndarray[Any, Any]) -> None:
    found = unpacked(packed(values))
    assert found.shape == values.shape and (found == values).all()


def test_floats_keep_four_digits_or_all() -> None:
    values = np.random.default_rng(0).normal(size=500).astype(np.float32) * 1e3
    assert np.abs(unpacked(packed(values)) / values - 1).max() < 5e-5
    odd = np.array([np.nan, np.inf, -np.inf, 3.4e38, 0.5], dtype=np.float32)
    assert np.array_equal(unpacked(packed(odd))[[0, 1, 2, 4]], odd[[0, 1, 2, 4]], equal_nan=True)
    exact = np.array([0.1, 1 / 3])
    assert (unpacked(packed(exact, exact=True)) == exact).all()


def test_what_has_no_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    data, game = made(tmp_path, "permutation", 600, random=1.0), make_game("permutation")
    whole, cut = player(data, game), player(data, game, room=900, pictures=21)
    assert whole["shown"] == whole["drawn"] == 600
    assert 10 < cut["shown"] < 600 and cut["drawn"] == 10  # of two pictures each
    assert len(unpacked(cut["rewards"])) == 2 * cut["shown"]
    monkeypatch.setattr("epymarl_cpa.view.dataset_page.player", lambda data, game: cut)
    content = view(tmp_path / "a.html", str(tmp_path / "permutation.npz"))
    assert f"The first {cut['shown']} of 600 episodes can be played" in content["told"][0]
    assert content["told"][0] in capsys.readouterr().out
    assert len(unpacked(content["episodes"]["returns"])) == 600


def test_a_run_is_shown_from_its_models_and_from_its_record(tiny_run: Callable[..., Outcome], tmp_path: Path) -> None:
    small = ("pool_hidden=8", "student_t_max=6", "policy_start=0.0", "test_greedy=false", "alpha=0.5")
    done = tiny_run(*small, alg="cpa_pa")
    assert done.models is not None and done.sacred is not None
    content = view(tmp_path / "a.html", str(done.models))
    points = dict(done.series())["test_return_mean"]
    assert next(each for each in content["series"] if each["name"] == "test_return_mean")["points"] == \
        [list(point) for point in points]
    assert content["result"]["value"] == points[-1][1] and content["result"]["optimum"] == 1.0
    changed = {row["key"]: (row["value"], row["default"]) for row in content["config"] if row["differs"]}
    assert changed["alpha"] == ("0.5", "null") and "gamma" not in changed
    for (what, command), wanted in zip(content["commands"], ("Evaluate", "Show", "Export"), strict=True):
        assert what.startswith(wanted) and entry(shlex.split(command)) == 0
    told = content["policies"]
    assert told["entryName"] == "entry" and len(told["entries"]) == 100
    first = told["states"][0]
    assert first["time"] == 0 and first["visits"] >= 100 and first["teacher"] and first["picture"] == 0
    for law in (first["law"], first["teacher"]):
        assert 0 < sum(each["probability"] for each in law) <= 1 + 1e-6
    # The entry that a key means decides what the episode's team plays.
    starts = {entries[0] for entries in told["entries"]}
    assert len(told["ways"]) <= len(starts) and sum(way["count"] for way in told["ways"]) == 100
    again = view(tmp_path / "b.html", str(done.sacred))
    assert again["policies"] == told and again["series"] == content["series"]
    many = view(tmp_path / "c.html", "results/sacred")
    assert [len(group["runs"]) for group in many["groups"]] == [1] and many["groups"][0]["runs"][0]["curve"]


def test_a_run_that_was_killed_at_once_is_found_by_its_record_alone(tiny_run: Callable[..., Outcome], tmp_path: Path,
                                                                    ) -> None:
    """Sacred writes what was noted of the run at once, the rest some seconds later."""
    done = tiny_run(alg="bc")
    (done.sacred / "info.json").unlink()
    assert view(tmp_path / "a.html", str(done.sacred))["policies"]
    assert dict(view(tmp_path / "b.html", str(done.models))["places"])["Sacred record"] == str(done.sacred.resolve())
    shutil.rmtree(next(done.models.glob("[0-9]*")))
    assert view(tmp_path / "c.html", str(done.sacred))["policies"] is None, "no checkpoint was written yet"


def test_what_a_team_plays_is_counted_where_nothing_is_drawn_or_something_was_before(
        tiny_run: Callable[..., Outcome], tmp_path: Path) -> None:
    greedy = view(tmp_path / "a.html", str(tiny_run("test_greedy=true", alg="cpa_ar").models))["policies"]
    assert greedy["counted"] == "The agents play what they like best"
    (state,) = greedy["states"]
    assert state["law"] is None and [each["probability"] for each in state["played"]] == [1.0]
    drawn = view(tmp_path / "b.html", str(tiny_run("test_greedy=false", alg="cpa_ar").models))["policies"]
    assert drawn["counted"] == "" and len(drawn["states"][0]["law"]) > 1
    small = ("policy_input=obs", "improvement=imitation", "student_t_max=4", "repeat_limit=1", "test_greedy=false")
    wary = view(tmp_path / "c.html", str(tiny_run(*small, alg="cpa_pa", env="bridge").models))["policies"]
    assert wary["counted"] == "The agents remember" and all(state["law"] is None for state in wary["states"])


def test_a_checkpoint_has_its_own_result(tiny_run: Callable[..., Outcome], tmp_path: Path) -> None:
    """Not that of the run's end."""
    words = ("test_interval=2", "save_model_interval=2", "models_kept=99", "t_max=6")
    done = tiny_run(*words, alg="bc", env="permutation")
    points = dict(dict(done.series())["test_return_mean"])
    for step in done.steps():
        content = view(tmp_path / "a.html", str(done.models / str(step)))
        assert content["result"]["value"] == points[step]


def test_pictures_show_the_states_that_were_recorded() -> None:
    """Also where a column is 0 in all that is shown."""
    game, recipes = load_env("dpomdp")
    data = generate(game, {**recipes["poor"], "episodes": 40}, 0, "poor")
    for number in range(40):
        one = slice(number, number + 1)
        length = data.filled[one].sum(1) - 1
        states = story(game, data.state[one], data.actions[one], length)
        assert states is not None
        assert np.array_equal(game.global_state(states[0, :length[0] + 1]), data.state[number, :length[0] + 1])


def test_names_of_files_may_be_no_text(tmp_path: Path) -> None:
    made(tmp_path, "xor", random=1.0)
    odd = (tmp_path / "xor.npz").rename(tmp_path / os.fsdecode(b"b\xff.npz"))
    assert view(tmp_path / "a.html", str(odd))["kind"] == "dataset"
    words = ["-m", "epymarl_cpa.view", os.fsencode(odd), f"--out={tmp_path / 'b.html'}"]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as in most languages; pytest's own is not
    told = subprocess.run([sys.executable, *words], capture_output=True, env=strict)
    assert told.returncode == 0 and b"b\\udcff.npz" in told.stdout, told.stderr


def test_records_whose_game_has_odd_arguments_are_shown() -> None:
    odd = {"name": "bc", "env": "xor", "env_args": ["a"]}
    assert {row["key"]: row["value"] for row in _config(odd)}["name"] == "bc"


def test_a_task_of_another_package_is_compared_with_its_own_file() -> None:
    """Two tasks may be played by the same wrapper."""
    config = resolve("bc", "lbf_coop", ["lr=0.125"])
    differing = {row["key"] for row in _config(config) if row["differs"]}
    assert differing == {"lr"}
    assert not [row for row in _config({**config, "env_args": {"key": "unknown"}}) if row["differs"]]
    for file in ("lbf", "mpe_spread", "pettingzoo"):  # others have the same environment
        words = ["env_args.key=mpe2.simple_spread_v3"] if file == "pettingzoo" else []
        assert not [row for row in _config(resolve("bc", file, words)) if row["differs"]]


def test_a_record_without_a_model_still_shows_its_curves(tmp_path: Path) -> None:
    folder = tmp_path / "sacred/bc/xor/1"
    folder.mkdir(parents=True)
    for name, content in (("config", {"name": "bc", "env": "xor", "x": EVIL}), ("run", {"status": "FAILED"}),
                          ("info", {"model": "/models/../../etc/3"}),
                          ("metrics", {"loss": {"steps": [0, 1, 2], "values": [1.0, "x", float("nan")]}, "odd": 3})):
        (folder / f"{name}.json").write_text(json.dumps(content))
    content = view(tmp_path / "a.html", str(folder))
    assert content["series"] == [{"name": "loss", "points": [[0.0, 1.0]], "left": 0}] and content["policies"] is None
    assert "No model of this run was found" in content["said"][-1]


def test_a_sweep_is_shown_with_its_means_and_curves(tmp_path: Path) -> None:
    content = view(tmp_path / "a.html", str(ROOT / "docs/results/teacher.jsonl"))
    group = next(each for each in content["groups"] if (each["game"], each["data"]) == ("sensor", "medium"))
    rows = [json.loads(line) for line in (ROOT / "docs/results/teacher.jsonl").read_text().splitlines()]
    own = [row["headline"] for row in rows if (row["env"], row["dataset"]) == ("sensor", "medium")]
    assert len(group["runs"]) == len(own) and group["mean"] == pytest.approx(np.mean(own))
    assert group["std"] == pytest.approx(np.std(own)) and all(run["curve"] for run in group["runs"])
    assert {each["key"] for each in content["differs"]} == {"game", "data", "seed"}


@pytest.mark.parametrize(("words", "said"), [
    (["nowhere.npz", "--out=a.html"], "there is no file or folder nowhere.npz"),
    (["rows.jsonl", "--out=a.txt"], "--out must end in .html, not a.txt"),
    (["rows.jsonl", "--out=no/a.html"], "to write to; make it"),
    (["rows.jsonl", "--out=a.html"], "is no whole JSON object"),
    (["rows.jsonl", "--out=a.html", "--env-config=xor"], "leave out --env-config"),
    (["rows.jsonl", "more", "--out=a.html"], "'more' is one word too many"),
    (["good", "--out=a.html", "--env-config=xo"], "unknown --env-config=xo"),
    (["empty", "--out=a.html"], "empty is not a data set of a known format"),
    (["runs", "--out=a.html"], "holds records of runs, but none has finished")])
def test_mistakes_are_told_in_a_sentence(words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"env": "xor", "dat')
    (tmp_path / "empty").mkdir()
    (tmp_path / "runs/1").mkdir(parents=True)
    (tmp_path / "runs/1/run.json").write_text("{}")
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ") and said in error and not (tmp_path / "a.html").exists()
