"""The .dpomdp format: every way of writing an entry, and what is said of files that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.dpomdp.model import Model
from epymarl_cpa.envs.dpomdp.parse import parse, read
from epymarl_cpa.envs.dpomdp.problems import PROBLEMS, problem
from epymarl_cpa.errors import UserError

PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dpomdp"
FILES = {"dectiger": "dectiger", "recycling": "recycling", "gridsmall": "GridSmall", "boxpushing": "boxPushingUAI07",
         "firefighting": "fireFighting_2_3_3"}

HEAD = """\
agents: 2
discount: 1.0   # kept by nobody
values: reward
states: wet dry
start:
uniform
actions:
go stay
3
observations:
sun rain
1
"""
BODY = """\
T: * :
uniform
O: * :
uniform
R: * : * : * : * : 1
"""


def parsed(body: str, head: str = HEAD) -> Model:
    return parse(head + body, "x.dpomdp")


@pytest.mark.parametrize("name", PROBLEMS)
def test_our_problems_are_the_published_ones(name: str) -> None:
    file = PUBLISHED / f"{FILES[name]}.dpomdp"
    if not file.is_file():
        pytest.skip("needs the published files")
    ours, theirs = problem(name), read(file)
    assert (ours.n_actions, ours.n_observations) == (theirs.n_actions, theirs.n_observations)
    for key in ("transition", "observation", "reward", "start"):
        np.testing.assert_allclose(getattr(ours, key), getattr(theirs, key), atol=1e-6)


def test_what_a_file_says_is_what_the_model_holds() -> None:
    model = parsed(BODY)
    assert (model.n_actions, model.n_observations, model.n_states) == ((2, 3), (2, 1), 2)
    assert model.state_names == ("wet", "dry") and model.action_names == (("go", "stay"), ("0", "1", "2"))
    assert (model.transition == 0.5).all() and (model.observation == 0.5).all() and (model.reward == 1).all()
    assert model.start.tolist() == [0.5, 0.5] and model.first is None


@pytest.mark.parametrize(("entry", "row"), [
    ("T: 3 :\n0.25 0.75\n0 1\n", [[0.25, 0.75], [0, 1]]),  # by the number of the joint action
    ("T: stay 0\n0.25 0.75\n0 1\n", [[0.25, 0.75], [0, 1]]),  # without the last colon
    ("T: stay 0 : wet :\n0.25\n0.75\n", [[0.25, 0.75], [0.5, 0.5]]),
    ("T: 1 0 : wet : 0.25 0.75\n", [[0.25, 0.75], [0.5, 0.5]]),  # on the same line
    ("T: stay 0 : 1 : wet : 1\nT: stay 0 : dry : 1 :\n0.0\n", [[0.5, 0.5], [1, 0]]),
    ("T: stay * : * : wet : 0\nT: stay * : * : dry : 1.\n", [[0, 1], [0, 1]]),
    ("T: * : * :\n.1 9e-1\n", [[0.1, 0.9], [0.1, 0.9]]),
    ("T: stay 0\nidentity\n", [[1, 0], [0, 1]]), ("T: stay 0 :\nuniform\n", [[0.5, 0.5], [0.5, 0.5]]),
    ("T: stay 0 : wet :\nuniform # or not\n", [[0.5, 0.5], [0.5, 0.5]])])
def test_transitions(entry: str, row: list[list[float]]) -> None:
    np.testing.assert_allclose(parsed(BODY + entry).transition[3], row)


@pytest.mark.parametrize(("entry", "row"), [
    ("O: stay 0 : wet :\n0.25 0.75\n", [[0.25, 0.75], [0.5, 0.5]]),
    ("O: stay 0 :\n0.25 0.75\n1 0\n", [[0.25, 0.75], [1, 0]]),
    ("O: stay 0 : dry : rain 0 : 1\nO: stay 0 : dry : 0 : 0\n", [[0.5, 0.5], [0, 1]]),
    ("O: stay 0 : * : rain * : 0\nO: stay 0 : * : sun 0 : 1\n", [[1, 0], [1, 0]])])
def test_observations(entry: str, row: list[list[float]]) -> None:
    np.testing.assert_allclose(parsed(BODY + entry).observation[3], row)


@pytest.mark.parametrize(("entry", "pays"), [
    ("R: stay 0 : wet : * : * : 5\n", [5, 1]), ("R: stay 0 : * : dry : * : 5\n", [3, 3]),
    ("R: stay 0 : wet : wet : rain 0 : 5\n", [2, 1]), ("R: stay 0 : wet : * : rain * : 5\n", [3, 1]),
    ("R: stay 0 : wet : dry :\n3 5\n", [0.5 + 2, 1]), ("R: stay 0 : dry :\n1 2\n3 4\n", [1, 2.5]),
    ("R: stay 0 : dry : dry : * : 5\nR: stay 0 : dry : * : * : 2\n", [1, 2])])
def test_rewards_are_means_over_what_they_depend_on(entry: str, pays: list[float]) -> None:
    np.testing.assert_allclose(parsed(BODY + entry).reward[3], pays)
    np.testing.assert_allclose(parsed(BODY + entry, HEAD.replace("reward", "cost")).reward[3], -np.array(pays))


@pytest.mark.parametrize(("start", "law"), [
    ("start: dry", [0, 1]), ("start: 0", [1, 0]), ("start:\n0.25 0.75", [0.25, 0.75]), ("start: 0 1", [0, 1]),
    ("start include: wet 1", [0.5, 0.5]), ("start exclude: wet", [0, 1]), ("start: uniform", [0.5, 0.5]),
    ("start: 0.3333 0.6666", [0.3333 / 0.9999, 0.6666 / 0.9999])])
def test_starts(start: str, law: list[float]) -> None:
    np.testing.assert_allclose(parsed(BODY, HEAD.replace("start:\nuniform", start)).start, law)


def test_three_agents_and_rounded_laws() -> None:
    head = HEAD.replace("agents: 2", "agents: one, two three").replace("go stay\n3", "2\n1\n2").replace(
        "rain\n1", "rain\n2\n2")
    model = parsed("T: * :\n0.3333 0.6666\n0 1\nO: * :\nuniform\nR: 1 0 1 : * : * : * : 2\n", head)
    assert model.n_actions == (2, 1, 2) and model.observation.shape == (4, 2, 8)
    assert abs(model.transition.sum(2) - 1).max() < 1e-12 and model.reward.sum() == 4


@pytest.mark.parametrize(("old", "new", "words"), [
    ("agents: 2", "agents: 1", "line 1: there must be two or more"), ("agents: 2", "agents: x", "two or more"),
    ("agents: 2\n", "", "no 'agents:'"), ("agents: 2", "agents: 99999999999", "line 1.*whole number"),
    ("agents: 2", "agents 2", "line 1.*before the first key"),
    ("discount: 1.0", "discount: 2", "line 2.*from 0 to 1"), ("values: reward", "values: money", "line 3.*or cost"),
    ("values:", "value:", "line 3.*not a key"), ("values:", "states:", "line 4.*second time, after line 3"),
    ("wet dry", "wet wet", "line 4.*second state"), ("wet dry", "999999", "too many to hold"),
    ("wet dry", "", "line 4.*states are missing"),
    ("uniform", "damp", "line 5: 'damp' is not|line 5.*numbers"), ("uniform", "0.3 0.3", "line 5.*sum to 1, not 0.6"),
    ("uniform", "-1 2", "must not be negative"), ("uniform", "1 0 0", "line 5.*must be 2 numbers, not 3"),
    ("uniform", "nan 1", "'nan' is not a number"), ("start:\nuniform", "start include: damp", "unknown state 'damp'"),
    ("start:\nuniform", "start exclude: 0 1", "no state is left"), ("start:\nuniform", "start:", "says nothing"),
    ("go stay\n3", "go stay", "line 7.*each of the 2 agents, not 1"),
    ("go stay\n3", "go stay\n0", "line 7.*from 1 to")])
def test_a_wrong_header_is_told(old: str, new: str, words: str) -> None:
    assert old in HEAD
    with pytest.raises(UserError, match=f"x.dpomdp.*{words}") as error:
        parsed(BODY, HEAD.replace(old, new, 1))
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


@pytest.mark.parametrize(("entry", "words"), [
    ("T: 6 :\nuniform", "line 18: the number of a joint action must be .* 0 to 5"),
    ("T: run 0 :\nuniform", "line 18: unknown action 'run'"), ("T: go 3 :\nuniform", "3 actions, numbered from 0"),
    ("T: go go go :\nuniform", "line 18.*each of the 2 agents"), ("T: go 0 : damp : wet : 1", "unknown state 'damp'"),
    ("T: go 0 : wet : wet : 1.5", "between 0 and 1"), ("T: go 0 : wet : wet : x", "'x' is not a number"),
    ("T: go 0 : wet : wet : wet : 1", "too many colons"), ("T: go 0 : wet : wet :", "numbers .* are missing"),
    ("T: go 0 :", "numbers .* are missing"), ("T: : wet :\nuniform", "nothing stands"),
    ("T: go 0 : wet : wet : 0.4", "line 18: .*'go 0' and state 'wet' sum to 0.9, not to 1"),
    ("T: go 0 : wet :\n0.9 0.2", "sum to 1.1"), ("T: go 0 :\n1 0\n1", "2 x 2 numbers, not 3"),
    ("T: go 0 :\n1 0\n2 -1", "between 0 and 1"), ("O: * : * :\n1", "line 18.*2 numbers, not 1"),
    ("O: go 0 : wet : sun 1 : 0.5", "1 observations, numbered from 0"), ("O: * :\nidentity", "numbers, not 1"),
    ("R: * : 5", "line 18"), ("R: * :\n5", "a joint action and a state"), ("R: * : * : * : * :", "are missing"),
    ("R: * : * : * : * : inf", "'inf' is not a number"), ("R: * : * :\n1 2 3", "2 x 2 numbers, not 3"),
    ("Q: *", "'Q:' is not a key")])
def test_a_wrong_entry_is_told(entry: str, words: str) -> None:
    with pytest.raises(UserError, match=f"x.dpomdp.*{words}") as error:
        parsed(BODY + entry + "\n")
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_missing_laws_are_told() -> None:
    with pytest.raises(UserError, match="T for action 'go 0' and state 'wet' are missing"):
        parsed(BODY.replace("T: * :\nuniform\n", ""))
    with pytest.raises(UserError, match="O for action 'go 0' and next state 'wet' are missing"):
        parsed(BODY.replace("O: * :\nuniform\n", ""))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path / "none.dpomdp")
    (tmp_path / "x.dpomdp").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a text file"):
        read(tmp_path / "x.dpomdp")
    with pytest.raises(UserError, match="no 'agents:'"):
        parse("", "x.dpomdp")


@pytest.mark.parametrize(("key", "change"), [
    ("transition", lambda a: a * 0.5), ("observation", lambda a: a[:, :1]), ("start", lambda a: a * np.nan),
    ("reward", lambda a: a + np.inf), ("state_names", lambda a: a[1:]), ("n_actions", lambda a: (3, 2))])
def test_a_model_refuses_what_does_not_fit(key: str, change: object) -> None:
    parts = dict(vars(problem("dectiger")))
    parts.pop("digest", None)
    parts[key] = change(parts[key])  # type: ignore[operator]
    with pytest.raises(ValueError):
        Model(**parts)


def test_the_digest_is_of_the_numbers_alone() -> None:
    renamed = HEAD.replace("wet dry", "2").replace("go stay", "2")
    assert parsed(BODY).digest == parsed(BODY, renamed).digest
    assert parsed(BODY).digest != parsed(BODY + "R: 0 : 0 : * : * : 2\n").digest


def test_an_action_that_an_agent_does_not_have_does_what_its_first_one_does(tmp_path: Path) -> None:
    """As in all games: masks tell, and who does not heed them, as some wrappers, plays on."""
    (tmp_path / "x.dpomdp").write_text(HEAD + BODY)
    game = make_game("dpomdp", problem=str(tmp_path / "x.dpomdp"), episode_limit=2)
    assert game.n_actions == 3 and not game.available(game.initial(1, np.random.default_rng(0)))[0, 0, 2]
    joint = game.joint(np.array([[2, 1], [0, 1]]))  # type: ignore[attr-defined]
    assert joint[0] == joint[1]
