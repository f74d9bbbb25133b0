"""Some episodes of a data set, by what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.selection import Selection, ranges, select
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError


@pytest.fixture(scope="module")
def data() -> OfflineDataset:
    recipe = {"episodes": 40, "mixture": {"crossing": 0.5, "random": 0.5}}
    return generate(make_game("bridge"), recipe, 0)


@pytest.mark.parametrize(("words", "keeps"), [
    (["--episodes=3,1,7-9"], lambda d: np.isin(np.arange(40), [1, 3, 7, 8, 9])),
    (["--episodes=5-9,0-39", "--not-episodes=2-30"], lambda d: np.isin(np.arange(40), [0, 1, *range(31, 40)])),
    (["--min-return=-5"], lambda d: d.returns >= -5),
    (["--max-return=-10", "--min-return=-20"], lambda d: (d.returns <= -10) & (d.returns >= -20)),
    (["--max-length=8"], lambda d: d.steps.sum(1) <= 8),
    (["--min-length=9"], lambda d: d.steps.sum(1) >= 9),
    (["--action=0"], lambda d: ((d.actions == 0).any(2) & d.steps).any(1)),
    (["--behaviour=crossing"], lambda d: d.behaviour == d.meta["behaviours"].index("crossing"))])
def test_what_is_asked_for_is_written(words: list[str], keeps: object, data: OfflineDataset, tmp_path: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    data.save(tmp_path / "all.npz")
    keep = keeps(data)  # type: ignore[operator]
    assert 0 < keep.sum() < 40
    assert main(["select", str(tmp_path / "all.npz"), *words, f"--out={tmp_path / 'some.npz'}"]) == 0
    assert f"{keep.sum()} episodes" in capsys.readouterr().out
    found = load(tmp_path / "some.npz")
    assert found.meta == data.meta
    for key, array in data.arrays.items():
        assert (found.arrays[key] == array[keep]).all(), key


def test_parts_are_numbered_as_a_whole(data: OfflineDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epymarl_cpa.data.chunks.PART_BYTES", 1)
    parts = [*split(data)]
    assert len(parts) == 40
    found = [*select(iter(parts), Selection(episodes=((4, 5), (30, 30))), "x")]
    assert [part.first for part in found] == [0, 1, 2]
    assert [part.returns.tolist() for part in found] == [[data.returns[k]] for k in (4, 5, 30)]


def test_episodes_of_a_folder_of_files_are_numbered_as_a_whole(data: OfflineDataset, tmp_path: Path,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages of such formats count within each file."""
    with monkeypatch.context() as patched:
        patched.setattr("epymarl_cpa.data.chunks.PART_BYTES", 10 * data.episode_bytes)
        write_dataset(split(data), tmp_path / "all", "parts")
    assert len([*(tmp_path / "all").glob("part-*")]) == 4
    words = ["--episodes=3-14,38", "--not-episodes=4,13"]
    assert main(["select", str(tmp_path / "all"), *words, f"--out={tmp_path / 'some.npz'}"]) == 0
    kept = [3, *range(5, 13), 14, 38]
    np.testing.assert_array_equal(load(tmp_path / "some.npz").state, data.state[kept])


@pytest.mark.parametrize(("words", "said"), [
    (["--episodes=3,x"], "--episodes must be numbers of episodes, from 0, such as 1,5-9, not 'x'"),
    (["--episodes=9-3"], "--episodes must be numbers"), (["--not-episodes="], "--not-episodes must be numbers"),
    (["--episodes=0,40"], "has the episodes 0 to 39, but --episodes asks for 40"),
    (["--action=5"], "has the actions 0 to 4, not 5"), (["--behaviour=me"], "has no behaviour 'me'; it has: "),
    (["--min-return=1"], "no episode of"), (["--min-return=0", "stray"], "'stray' is one word too many")])
def test_mistakes_are_told_and_nothing_is_written(words: list[str], said: str, data: OfflineDataset, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    data.save(tmp_path / "all.npz")
    assert main(["select", str(tmp_path / "all.npz"), *words, f"--out={tmp_path / 'some.npz'}"]) == 2
    assert said in capsys.readouterr().err and [*tmp_path.iterdir()] == [tmp_path / "all.npz"]


def test_ranges_are_read() -> None:
    assert ranges("1, 5-9", "--episodes") == ((1, 1), (5, 9))
    with pytest.raises(UserError, match="must be numbers"):
        ranges("-3", "--episodes")
