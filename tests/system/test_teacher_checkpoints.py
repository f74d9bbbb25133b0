"""Students of a saved teacher: the same one, or a refusal that says why; and students that were interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch as th
from outcome import Outcome, equal

pytestmark = pytest.mark.thorough

Run = Callable[..., Outcome]
STUDENTS = ("student_t_max=6", "pool_hidden=8", "pool_dim=4", "head_hidden=8")
#: a game of chance, small enough to be solved at once
ALOHA = ("env_args.rows=1", "env_args.cols=2", "env_args.episode_limit=5")
BOTH = (*STUDENTS, *ALOHA, "t_max=8", "student_t_max=14", "test_interval=5", "learner_log_interval=3",
        "save_model_interval=4")


def later(outcome: Outcome, t_env: int) -> dict[str, list[tuple[int, float]]]:
    """All points after ``t_env``."""
    series = {key: [point for point in points if point[0] > t_env] for key, points in outcome.series().items()}
    return {key: points for key, points in series.items() if points}


def refused(tiny_run: Run, capsys: pytest.CaptureFixture[str], *words: str, env: str = "xor") -> str:
    """What a run of students says before it gives up, one sentence on one line."""
    capsys.readouterr()
    tiny_run(*STUDENTS, *words, alg="cpa_pa", env=env, status=2)
    err = capsys.readouterr().err.strip()
    assert "\n" not in err
    assert "Traceback" not in err
    assert err.startswith("Error: ")
    return err


def test_students_of_a_saved_teacher_keep_it_as_it_is(tiny_run: Run) -> None:
    teacher = tiny_run(alg="cpa_ar")
    students = tiny_run(*STUDENTS, f"teacher={teacher.models}", alg="cpa_pa")
    assert students.steps() == [6], "the students' updates alone"
    saved = students.state()["mac"]
    assert saved["stage"] == "students"
    assert equal(saved["teacher"]["agent"], teacher.state()["mac"]["agent"])


def test_one_checkpoint_of_a_teacher_can_be_named(tiny_run: Run) -> None:
    teacher = tiny_run("save_model_interval=3", "policy_start=0", alg="cpa_ar")
    assert teacher.steps() == [3, 6]
    for step in (3, 6):
        students = tiny_run(*STUDENTS, f"teacher={teacher.models}/{step}", alg="cpa_pa")
        assert equal(students.state()["mac"]["teacher"]["agent"], teacher.state(step)["mac"]["agent"])
    assert not equal(teacher.state(3)["mac"]["agent"], teacher.state(6)["mac"]["agent"])


@pytest.mark.parametrize("env", ["xor", "bridge"])
def test_a_teacher_of_ones_own_is_the_one_that_cpa_ar_trains(env: str, tiny_run: Run) -> None:
    """Bit for bit, with its behaviour, critic and optimisers."""
    alone = tiny_run("recipes.medium.episodes=20", alg="cpa_ar", env=env).state()
    both = tiny_run("recipes.medium.episodes=20", *STUDENTS, alg="cpa_pa", env=env)
    assert both.steps() == [12]
    own = both.state()["stages"]["teacher"]
    for part in ("nets", "optimisers", "updates"):
        assert equal(own[part], alone["stages"]["training"][part]), part
    assert equal(both.state()["mac"]["teacher"]["agent"], alone["mac"]["agent"])


def test_until_the_students_learn_the_metrics_are_those_of_cpa_ar(tiny_run: Run) -> None:
    alone = tiny_run("test_greedy=false", "beta=0.1", "test_interval=2", alg="cpa_ar").series()
    both = tiny_run(*STUDENTS, "beta=0.1", "test_interval=2", alg="cpa_pa").series()
    compared = [key for key in alone if key.startswith("test_") or key.endswith(("_loss", "_norm"))]
    assert {"test_return_mean", "test_joint_entropy_mean", "policy_loss", "critic_loss"} <= set(compared)
    for key in compared:
        assert [point for point in both[key] if point[0] <= 6] == alone[key], key


def test_both_ways_to_a_teacher_give_the_same_students(tiny_run: Run) -> None:
    """Up to the data that they see: with all data in every batch, these do not matter."""
    words = ("batch_size=12", "recipes.medium.episodes=12", "test_interval=100", "env_args.episode_limit=1")
    teacher = tiny_run(*words, alg="cpa_ar")
    after = tiny_run(*words, *STUDENTS, f"teacher={teacher.models}", alg="cpa_pa").state()["mac"]
    both = tiny_run(*words, *STUDENTS, alg="cpa_pa").state()["mac"]
    for key, value in both["agent"].items():
        th.testing.assert_close(after["agent"][key], value, msg=key)


@pytest.mark.parametrize(("env", "words", "sentence"), [
    ("permutation", (), "was trained with game=xor, but this run plays game=permutation"),
    ("xor", ("env_args.episode_limit=3",), "env_args.episode_limit=1, but this run plays env_args.episode_limit=3"),
    ("xor", ("hidden_dim=9",), "was trained with hidden_dim=8, but this run has hidden_dim=9"),
    ("xor", ("n_layers=1",), "was trained with n_layers=2, but this run has n_layers=1"),
    ("xor", ("state_levels=2",), "was trained with state_levels=0, but this run has state_levels=2")])
def test_a_teacher_that_does_not_fit_is_refused(env: str, words: tuple[str, ...], sentence: str, tiny_run: Run,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    teacher = tiny_run(alg="cpa_ar")
    err = refused(tiny_run, capsys, f"teacher={teacher.models}", *words, env=env)
    assert sentence in err
    assert str(teacher.models) in err


def test_students_are_no_teachers(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    students = tiny_run(*STUDENTS, "t_max=1", "student_t_max=1", alg="cpa_pa")
    err = refused(tiny_run, capsys, f"teacher={students.models}")
    assert "was trained with mac=pa_mac and holds no teacher" in err
    assert str(students.models) in err


@pytest.mark.parametrize("folder", ["nowhere", "empty", "file"])
def test_a_teacher_that_is_not_there_is_refused(folder: str, tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("file").write_text("no folder")
    err = refused(tiny_run, capsys, f"teacher={folder}")
    assert f"teacher={folder} holds no checkpoint" in err


@pytest.mark.parametrize("name", ["mac.th", "manifest.json"])
def test_an_altered_teacher_is_refused(name: str, tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = tiny_run(alg="cpa_ar")
    assert teacher.models is not None
    file = teacher.models / "6" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    err = refused(tiny_run, capsys, f"teacher={teacher.models}")
    assert name in err
    assert str(teacher.models) in err


@pytest.mark.parametrize("words", [(), ("key=cvae_index", "selection=encoder", "warm_up=0.5")],
                         ids=["likelihood", "encoder"])
@pytest.mark.parametrize("step", [4, 8, 12, 20])
def test_an_interrupted_run_goes_on_like_the_whole_one(step: int, words: tuple[str, ...], tiny_run: Run) -> None:
    """In the teacher's stage, between the stages, and in the students'; bit for bit, with all later metrics."""
    whole = tiny_run(*BOTH, *words, alg="cpa_pa", env="aloha")
    assert whole.steps() == [4, 8, 12, 16, 20, 22]
    assert whole.state(step)["mac"]["stage"] == ("students" if step > 8 else "teacher")
    resumed = tiny_run(*BOTH, *words, f"checkpoint_path={whole.models}", f"load_step={step}", alg="cpa_pa", env="aloha")
    assert equal(resumed.state(), whole.state())
    assert later(resumed, step) == later(whole, step)
    assert "test_tv_mean" in later(whole, step)
    assert "pool_loss" in later(whole, step)


def test_interrupted_students_of_a_saved_teacher_go_on_too(tiny_run: Run) -> None:
    words = (*STUDENTS, *ALOHA, "save_model_interval=3", "test_interval=2")
    teacher = tiny_run(*ALOHA, alg="cpa_ar", env="aloha")
    words = (*words, f"teacher={teacher.models}")
    whole = tiny_run(*words, alg="cpa_pa", env="aloha")
    resumed = tiny_run(*words, f"checkpoint_path={whole.models}", "load_step=3", alg="cpa_pa", env="aloha")
    assert equal(resumed.state(), whole.state())
    assert later(resumed, 3) == later(whole, 3)


def test_a_stage_boundary_that_moves_behind_the_students_is_noticed(tiny_run: Run, capsys: pytest.CaptureFixture[str],
                                                                    ) -> None:
    """Interrupted in the students' stage at 12, continued with a teacher's stage that lasts until 20."""
    whole = tiny_run(*BOTH, alg="cpa_pa", env="aloha")
    capsys.readouterr()
    resumed = tiny_run(*BOTH, "t_max=20", f"checkpoint_path={whole.models}", "load_step=12", alg="cpa_pa", env="aloha")
    kept = equal(resumed.state()["mac"]["teacher"]["agent"], whole.state(12)["mac"]["teacher"]["agent"])
    assert kept or "t_max=20" in capsys.readouterr().out


def test_a_second_teacher_for_a_run_that_trains_its_own_is_refused(tiny_run: Run,
                                                                   capsys: pytest.CaptureFixture[str]) -> None:
    other = tiny_run(*ALOHA, alg="cpa_ar", env="aloha")
    whole = tiny_run(*BOTH, alg="cpa_pa", env="aloha")
    capsys.readouterr()
    tiny_run(*BOTH, f"checkpoint_path={whole.models}", "load_step=4", f"teacher={other.models}", alg="cpa_pa",
             env="aloha", status=2)
    assert "is of a run in its stage 'teacher', which this run does not have" in capsys.readouterr().err


def test_a_finished_team_is_evaluated_as_it_ended(tiny_run: Run) -> None:
    trained = tiny_run(*BOTH, alg="cpa_pa", env="aloha")
    again = tiny_run(*BOTH, "evaluate=true", f"checkpoint_path={trained.models}", alg="cpa_pa", env="aloha")
    ended = {key: points[-1] for key, points in trained.series().items() if key.startswith("test_")}
    assert {key: points[-1] for key, points in again.series().items()} == ended


def test_a_finished_team_needs_its_teachers_folder_no_more(tiny_run: Run) -> None:
    """Its own checkpoint holds the teacher, too."""
    teacher = tiny_run(alg="cpa_ar")
    assert teacher.models is not None
    trained = tiny_run(*STUDENTS, f"teacher={teacher.models}", alg="cpa_pa")
    teacher.models.rename("elsewhere")
    again = tiny_run(*STUDENTS, "evaluate=true", f"checkpoint_path={trained.models}", alg="cpa_pa")
    for key, points in again.series().items():
        assert points[-1] == trained.series()[key][-1], key
