"""Which team is the best, from recorded data alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from outcome import Outcome
from torch import Tensor

from epymarl_cpa import UserError, select
from epymarl_cpa.config import resolve
from epymarl_cpa.main import entry
from epymarl_cpa.selection import asking as module
from epymarl_cpa.selection.effort import Effort
from epymarl_cpa.selection.hindsight import _error
from epymarl_cpa.selection.networks import Networks
from epymarl_cpa.settings import Settings
from epymarl_cpa.valuation.estimate import Estimate
from epymarl_cpa.valuation.recorded import Recorded
from epymarl_cpa.valuation.table import Pairs, Table

STATES, LIMIT = 3, 4
PAYS = np.random.default_rng(0).normal(size=(STATES, 2, 2))
#: joint actions by state; the game moves on to (state + a + 2 b) % 3
TEAMS = [np.array([[0, 0], [0, 1], [1, 1]]), np.array([[1, 0], [1, 1], [0, 1]])]
ARGS = Settings.of(resolve("bc", "xor", ["seed=0"]))
QUICK = Effort(members=2, updates=400, batch=128, width=32, rate=1e-2, follow=0.1)


def data(teams: Sequence[np.ndarray] = TEAMS, fixed: bool = True, episodes: int = 60,
         noise: float = 0.0, without: tuple[int, int, int] | None = None) -> Recorded:
    """Recordings of random play; of the endless game, joint action (1, 1) in state 2 is its end."""
    rng = np.random.default_rng(1)
    rows, seen, times = list[Any](), list[int](), list[int]()
    for episode in range(episodes):
        state = 0
        for time in range(LIMIT if fixed else 30):
            actions = rng.integers(2, size=2)
            if without is not None and (state, *actions) == without:
                actions = 1 - actions
            after = (state + actions[0] + 2 * actions[1]) % STATES
            own = not fixed and state == 2 and bool(actions.all())
            pays = PAYS[state, *actions] + noise * rng.normal()
            rows.append((len(seen), len(seen) + 1, actions, pays, own or (fixed and time + 1 == LIMIT), time, episode))
            seen.append(state)
            times.append(time)
            state = after
            if own:
                break
        seen.append(state)
        times.append(times[-1] + 1)
    now, later, actions, reward, done, step, number = (np.array(column) for column in zip(*rows, strict=True))
    places = np.array(seen)
    encoded = np.eye(STATES, dtype=np.float32)[places]
    timed = np.concatenate([encoded, np.array(times, np.float32)[:, None] / LIMIT], 1)
    played = np.stack([team[places] for team in teams]).astype(np.int16)
    return Recorded(*(th.from_numpy(np.ascontiguousarray(each)) for each in (
        encoded, timed if fixed else encoded, np.ones((len(places), 2, 2), np.bool_), played, now, later, actions,
        reward.astype(np.float32), done, step, number)), th.arange(len(teams)), fixed, LIMIT if fixed else 50, episodes)


def exact(team: np.ndarray, fixed: bool, gamma: float) -> float:
    """By the rules, step by step."""
    value = np.zeros(STATES)
    for _ in range(LIMIT if fixed else 500):
        value = np.array([PAYS[s, *team[s]] + gamma * value[(s + team[s][0] + 2 * team[s][1]) % STATES]
                          * (fixed or not (s == 2 and team[s].all())) for s in range(STATES)])
    return float(value[0])


@pytest.mark.parametrize(("fixed", "gamma"), [(True, 1.0), (True, 0.8), (False, 0.9)])
def test_counting_is_exact_where_nothing_is_left_to_chance(fixed: bool, gamma: float) -> None:
    recorded = data(fixed=fixed)
    assert Pairs.of(recorded).repeated == 1.0
    found = Table(recorded, gamma).estimate()
    assert found.value == pytest.approx([exact(team, fixed, gamma) for team in TEAMS], abs=2e-3)
    assert found.error == pytest.approx([0.0, 0.0], abs=1e-6) and found.unseen.tolist() == [0.0, 0.0]


def test_episodes_that_end_before_the_limit_that_ends_the_game_are_over() -> None:
    """Of games whose states tell the time, say; what ended does not go on from the worst return."""
    game = replace(data(fixed=False, episodes=300), fixed=True, limit=30)
    found = Table(game, 1.0).estimate()
    assert found.value == pytest.approx([ends(team, 30) for team in TEAMS], abs=1e-5)
    assert found.error.max() < 1e-6


def ends(team: np.ndarray, limit: int) -> float:
    """What a team earns in the game whose end is joint action (1, 1) in state 2, or the limit."""
    state, total = 0, 0.0
    for _ in range(limit):
        a, b = team[state]
        total += PAYS[state, a, b]
        if state == 2 and a and b:
            break
        state = (state + a + 2 * b) % STATES
    return total


def test_the_error_of_counting_is_how_far_it_is_off() -> None:
    """Over many data sets with noisy rewards, the standard error is the spread of the values."""
    rng, values, errors = np.random.default_rng(0), [], []
    recorded = data(episodes=40)
    for _ in range(60):
        noisy = replace(recorded, reward=recorded.reward + th.from_numpy(rng.normal(size=len(recorded.reward))).float())
        found = Table(noisy, 1.0).estimate()
        values.append(found.value)
        errors.append(found.error)
    spread, told = np.std(values, 0), np.mean(errors, 0)
    assert ((told / spread > 0.75) & (told / spread < 1.33)).all(), (told, spread)
    assert np.mean(values, 0) == pytest.approx([exact(team, True, 1.0) for team in TEAMS], abs=0.3)


def test_what_was_recorded_once_is_not_certain() -> None:
    """Where no state came again, as of continuous ones, nothing tells what is luck."""
    recorded = data(episodes=20)
    apart = replace(recorded, seen=th.arange(len(recorded.seen))[:, None].float())
    assert Pairs.of(apart).repeated == 0.0
    assert Table(apart, 1.0).estimate().error.min() > 0.01


def test_what_was_never_recorded_is_the_worst_that_was() -> None:
    recorded = data(without=(0, 0, 0))  # how the first team begins
    found = Table(recorded, 1.0).estimate()
    returns = recorded.returns_to_go(1.0)[recorded.time == 0]
    assert found.value[0] == pytest.approx(float(returns.min())) and 0.1 < found.unseen[0] < 0.9
    assert found.value[1] == pytest.approx(exact(TEAMS[1], True, 1.0), abs=1e-5) and found.unseen[1] == 0.0


@pytest.mark.parametrize(("fixed", "gamma"), [(True, 1.0), (False, 0.9)])
def test_networks_come_near_the_exact_values(fixed: bool, gamma: float) -> None:
    found = networks(data(fixed=fixed, episodes=100), gamma)
    wanted = np.array([exact(team, fixed, gamma) for team in TEAMS])
    assert (found.value.argmax(), found.unseen.tolist()) == (wanted.argmax(), [0.0, 0.0])
    assert np.abs(found.value - wanted).max() < 0.25 * abs(wanted[0] - wanted[1]), (found.value, wanted)


def networks(recorded: Recorded, gamma: float, seed: int = 0) -> Estimate:
    return Networks(recorded, gamma, ARGS, seed, QUICK).estimate()


def test_networks_do_not_guess_what_was_never_recorded() -> None:
    recorded = data(without=(0, 0, 0), episodes=100)
    found = networks(recorded, 1.0)
    assert found.unseen[0] > 0.1 and found.unseen[1] == 0.0
    lowest = float(recorded.returns_to_go(1.0)[recorded.time == 0].min())
    assert found.value[0] == pytest.approx(lowest, abs=0.7) and found.value[0] < found.value[1] - 1.0


def test_same_seed_same_bits() -> None:
    quick = replace(QUICK, updates=5)
    before = th.get_rng_state()
    first, again, other = (Networks(data(), 1.0, ARGS, seed, quick).estimate() for seed in (3, 3, 4))
    assert first.value.tolist() == again.value.tolist() and first.error.tolist() == again.error.tolist()
    assert first.value.tolist() != other.value.tolist() and th.equal(before, th.get_rng_state())


def test_a_team_that_draws_is_worth_the_mean_of_what_it_plays() -> None:
    both = replace(data(), owner=th.zeros(2, dtype=th.long))
    if_first = {tuple(TEAMS[j][0]): j for j in (0, 1)}
    assert len(if_first) == 2
    value = Table(both, 1.0).estimate().value
    mixed = np.zeros(STATES)
    for _ in range(LIMIT):
        mixed = np.mean([[PAYS[s, *team[s]] + mixed[(s + team[s][0] + 2 * team[s][1]) % STATES] for s in range(STATES)]
                         for team in TEAMS], 0)
    assert value == pytest.approx([mixed[0]], abs=1e-5)


def test_returns_to_go_by_hand() -> None:
    recorded, gamma = data(fixed=False, episodes=5), 0.9
    wanted: list[float] = []
    for k in range(len(recorded.reward)):
        same = (recorded.episode == recorded.episode[k]) & (th.arange(len(recorded.reward)) >= k)
        own: Tensor = recorded.reward[same].double()
        wanted.append(float((own * gamma ** th.arange(len(own))).sum()))
    assert recorded.returns_to_go(gamma).tolist() == pytest.approx(wanted, abs=1e-6)
    exact = replace(recorded, reward=recorded.reward.double())
    for _ in range(2):  # rewards stay as they are
        assert exact.returns_to_go(gamma).tolist() == pytest.approx(wanted, abs=1e-6)


# ------------------------------------------------------------------------------------------- checkpoints of runs
def test_a_run_says_which_of_its_checkpoints_is_best(tiny_run: Callable[..., Outcome], tmp_path: Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_run("t_max=60", "save_model_interval=10", "test_interval=60", "lr=0.02", "recipes.medium.episodes=400",
                     "batch_size=64", alg="cpa_ar").models
    capsys.readouterr()
    words = [str(model), "--hindsight=20", "--out=choice.json"]
    assert entry(["epymarl-cpa", "select", *words]) == 0
    said = capsys.readouterr().out
    told = json.loads((tmp_path / "choice.json").read_text(encoding="utf-8"))
    assert len(told["teams"]) == 6 and said.rstrip().endswith(f"chosen: {told['chosen']}")
    best = max(team["played"] for team in told["teams"])
    assert next(team for team in told["teams"] if team["folder"] == told["chosen"])["played"] == best
    assert told["regret"] == 0.0 and told["way"] == "table" and told["data"]["digest"] == told["teams"][0]["data"]
    assert all(abs(team["value"] - team["played"]) < 1e-6 for team in told["teams"] if team["unseen"] == 0.0)
    again = select(str(model))
    assert (str(again.folder), again.value.tolist()) == (told["chosen"], [team["value"] for team in told["teams"]])
    assert again.hindsight is None


@pytest.mark.parametrize(("alg", "env", "words"), [
    ("bcq", "bridge", ()), ("maicq", "aloha", ("test_greedy=False",)), ("ar_bc", "xor", ("test_greedy=False",)),
    ("bc", "aloha", ("policy_input=obs", "use_rnn=True", "obs_last_action=True", "env_args.observation=local"))])
def test_every_kind_of_team_can_be_judged(tiny_run: Callable[..., Outcome], alg: str, env: str,
                                          words: tuple[str, ...]) -> None:
    model = tiny_run("t_max=2", "save_model_interval=1", *words, alg=alg, env=env).models
    found = select(str(model), updates=3)
    assert len(found.names) == 2 and np.isfinite(found.bound).all() and (found.bound <= found.value).all()
    assert any("remember" in line for line in found.facts["told"]) == ("use_rnn=True" in words)
    assert any("reward_min" in line for line in found.facts["told"]) == (env == "aloha")


def test_of_large_data_some_episodes_are_looked_at(tiny_run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch,
                                                   ) -> None:
    model = tiny_run("t_max=2", "save_model_interval=1").models
    file, = Path("datasets").glob("*.npz")
    assert entry(["epymarl-cpa", "data", "convert", str(file), "big.mapped"]) == 0
    whole = select(str(model), "big.mapped")
    assert whole.facts["episodes"] == 40
    monkeypatch.setattr(module, "MOST_STEPS", 10)
    some = select(str(model), "big.mapped")
    assert some.facts["episodes"] == 10 and "10 of 40 episodes were looked at" in repr(some)


def test_students_of_a_key_can_be_judged(tiny_run: Callable[..., Outcome]) -> None:
    model = tiny_run("t_max=2", "student_t_max=2", "save_model_interval=2", "pool_hidden=8", "pool_size=4",
                     "test_greedy=False", alg="cpa_pa").models
    assert np.isfinite(select(str(model)).value).all()


def test_what_cannot_be_compared_is_told(tiny_run: Callable[..., Outcome], capsys: pytest.CaptureFixture[str],
                                         ) -> None:
    xor, other, bridge = (str(tiny_run("t_max=2", "save_model_interval=1", f"seed={seed}", env=env).models)
                          for seed, env in ((1, "xor"), (2, "xor"), (1, "bridge")))
    for words, sentence in (
            ([xor, bridge], "only teams for the same game can be compared"),
            ([xor, other], "learned from different data .medium of seed 2 and medium of seed 1"),
            ([f"{xor}/2"], "there is but one checkpoint"), ([f"{xor}/1", f"{xor}/1/"], "there is but one checkpoint"),
            (["nowhere"], "nowhere holds no checkpoint"), (["with", "data=poor"], "select needs the model folders"),
            ([xor, "data=medium", "--data=poor"], "data is given twice"), ([xor, "--data=there.npz"], "no recipe"),
            ([xor, "--caution=-1"], "caution must be"), ([xor, "--out=a/b.json"], "there is no folder"),
            ([xor, "--hindsight=-1"], "hindsight must be"), ([xor, "--updates=0"], "updates must be"),
            ([xor, "--seed=-1"], "seed must be"),
            *(([xor, f"--seed={2**70}", f"--way={way}"], r"seed must be a whole number in 0 \.\. 2147483647")
              for way in ("table", "networks"))):
        capsys.readouterr()
        assert entry(["epymarl-cpa", "select", *words]) == 2
        with pytest.raises(UserError, match=sentence):
            raise UserError(capsys.readouterr().err)
    assert entry(["epymarl-cpa", "select", xor, other, "with", "data=medium"]) == 0
    assert "learned from other data than these" in capsys.readouterr().out


def test_the_error_of_a_regret_is_that_of_what_was_sampled() -> None:
    """Of two teams that played the same games only what they reached otherwise counts; an exact mean has none."""
    one, other = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.5, 3.5])
    assert _error(one, other) == 0.0
    assert _error(one, np.array([7.0])) == pytest.approx(1 / 3**0.5) == _error(np.array([7.0]), one)
    assert _error(np.array([1.0]), np.array([2.0])) == 0.0
