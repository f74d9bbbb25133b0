"""Small but real: students learn to be their teacher, mismatch-free, and say so where they cannot."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from epymarl_cpa.config import resolve
from epymarl_cpa.run import run

XOR = ("t_max=200", "student_t_max=150", "hidden_dim=32", "pool_hidden=32")
PERMUTATION = ("t_max=400", "student_t_max=300", "pool_hidden=64")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where these tests keep their data sets and teachers."""
    return tmp_path_factory.mktemp("learning")


def learn(alg: str, env: str, place: Path, results: Path, *words: str) -> dict[str, float]:
    """The last evaluation of a small run."""
    known = resolve(alg, env)
    usual = [word for word in (XOR if env == "xor" else PERMUTATION) if word.partition("=")[0] in known]
    settings = {word.partition("=")[0]: word for word in (*usual, *words)}
    config = resolve(alg, env, [*settings.values(), "seed=0", "lr=0.003",
                                "dataset=poor", f"local_results_path={results}", f"datasets_path={place}",
                                "test_interval=100000"])
    return run(config, None, logging.getLogger("test"))


def taught(env: str, place: Path, *words: str, alg: str = "cpa_pa") -> dict[str, float]:
    """The last evaluation of students whose teacher all these tests share."""
    results = place / env
    if not results.exists():
        learn("cpa_ar", env, place, results)
    teacher, = (results / "models").glob("cpa_ar*")
    return learn(alg, env, place, place / "students", f"teacher={teacher}", *words)


def test_the_team_plays_its_teachers_law_without_a_word(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Both stages in one run, and no complaint."""
    with caplog.at_level(logging.WARNING, logger="test"):
        out = learn("cpa_pa", "xor", place, place / "both")
    assert out["return"] == 1.0
    assert out["teacher_modes"] == 2.0
    assert out["tv"] <= 0.05
    assert out["modes_covered"] == 1.0
    assert out["mismatch_rate"] == 0.0
    assert not caplog.records


@pytest.mark.slow
def test_four_agents_find_all_of_their_teachers_permutations(place: Path) -> None:
    out = taught("permutation", place)
    assert out["return"] == 1.0
    assert out["teacher_modes"] >= 8
    assert out["tv"] <= 0.05
    assert out["modes_covered"] == 1.0
    assert out["mismatch_rate"] == 0.0
    assert out["optimal_share"] == pytest.approx(1.0, abs=1e-6)


def test_a_pool_of_one_entry_makes_a_deterministic_team(place: Path) -> None:
    out = taught("xor", place, "pool_size=1", "beta=1")
    assert out["return"] == 1.0
    assert out["modes"] == out["teacher_modes"] == 1.0
    assert out["joint_entropy"] == 0.0


def test_without_the_key_the_mismatch_is_back(place: Path) -> None:
    """The teacher plays AB and BA alike; its average, agent by agent, plays everything alike."""
    out = taught("xor", place, "test_greedy=false", "test_nepisode=2000", alg="kd")
    assert out["teacher_modes"] == 2.0
    assert out["return"] == pytest.approx(0.5, abs=0.06)
    assert out["mismatch_rate"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("key", ["cvae_vector", "cvae_index"])
def test_the_variational_keys_keep_agents_together_at_some_cost_in_frequencies(key: str, place: Path) -> None:
    out = taught("xor", place, f"key={key}")
    assert out["return"] >= 0.99
    assert out["modes_covered"] == 1.0
    assert out["mismatch_rate"] == 0.0
    assert out["tv"] <= 0.35


def test_entries_selected_by_the_encoder_hold_joint_actions_too(place: Path) -> None:
    out = taught("permutation", place, "selection=encoder")
    assert out["return"] >= 0.95
    assert out["mismatch_rate"] <= 0.05


def test_joint_actions_that_share_an_entry_bring_mismatch_back(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Eqs. 9 to 12 without what keeps joint actions apart; the run says that its students are no good."""
    with caplog.at_level(logging.WARNING, logger="test"):
        out = taught("permutation", place, "selection=encoder", "exclusive=false", "share_weight=0", "warm_up=0")
    assert out["tv"] > 0.05
    assert out["modes_covered"] < 1.0
    assert "THE STUDENTS HAVE NOT LEARNED" in caplog.text


def test_a_pool_smaller_than_the_teachers_repertoire_is_warned_about(place: Path, caplog: pytest.LogCaptureFixture,
                                                                     ) -> None:
    with caplog.at_level(logging.WARNING, logger="test"):
        out = taught("xor", place, "pool_size=1", "beta=0.25")
    assert out["return"] == 1.0
    assert out["modes_covered"] == 0.5
    assert "pool_size=1 leaves out" in caplog.text
    assert "plays up to 2 joint actions in a state" in caplog.text
