"""Runs in Weights & Biases, by the real library, which sends nothing."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from outcome import Outcome

pytestmark = pytest.mark.thorough

Run = Callable[..., Outcome]


def chunks(content: bytes) -> Iterator[bytes]:
    """The records of a file of W&B's, which is a log of LevelDB's behind seven bytes."""
    place, whole = 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # the record is whole, or this was its last part
            yield whole
            whole = b""


def test_a_run_offline(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR"):
        monkeypatch.setenv(name, str(Path.cwd()))
    plain = tiny_run()
    run = tiny_run("use_wandb=true", "wandb_project=study", "wandb_save_model=true", "save_model_interval=")
    assert run.series() == plain.series(), "nothing is learned differently"
    said = run.sacred / "cout.txt" if run.sacred else Path()
    assert "wandb" not in said.read_text().replace("use_wandb", "").replace("wandb_", "")
    file, = Path("results/wandb").glob("offline-run-*/run-*.wandb")
    told, facts = dict[int, set[str]](), None
    for data in chunks(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = {item.key or ".".join(item.nested_key): item.value_json for item in record.history.item}
            told.setdefault(int(items["_step"]), set()).update(items)
        if record.WhichOneof("record_type") == "run":
            facts = record.run
    assert facts is not None and facts.project == "study" and run.models
    assert facts.run_id == facts.display_name == run.models.name
    assert set(told) == {t for points in run.series().values() for t, _ in points}
    assert "test_return_mean" in told[6]


def test_it_is_asked_for_in_one_sentence(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    tiny_run("use_wandb=true", status=2)
    assert capsys.readouterr().err.strip() == \
        "Error: use_wandb=true needs Weights & Biases: pip install 'epymarl-cpa[wandb]'."
    assert not Path("results").exists()
