"""Behaviour cloning against the exact value of imitating every agent's own habits, at full size; takes minutes.

What independent cloning is worth can be computed without learning, and was, from the behaviours that make the data:
the product of their marginals, drawn from, or each agent's likeliest action.  A network that draws must come near the
former.  The latter hangs on ties where habits are equally strong, and a network breaks these more smoothly than a
table: it gains on Sensor's poor data, and on Aloha's good data it sends a tenth of the messages that could be sent,
where the table sends none.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from epymarl_cpa.config import resolve
from epymarl_cpa.run import run

#: returns of drawn and of likeliest actions
SENSOR = {"good": (26.64, 30.0), "medium": (17.84, 28.96), "poor": (-24.97, 15.63)}
#: messages sent by drawn actions
ALOHA = {"good": 16.5, "medium": 21.6, "poor": 22.7}


def cloned(env: str, quality: str, folder: Path, *words: str) -> dict[str, float]:
    """The last evaluation of cloning with the defaults."""
    config = resolve("bc", env, [f"dataset={quality}", "seed=100", f"local_results_path={folder}",
                                 f"datasets_path={folder}", "test_interval=100000", *words])
    return run(config, None, logging.getLogger("test"))


def again(env: str, quality: str, folder: Path, *words: str) -> dict[str, float]:
    """Another evaluation of the same model."""
    model, = (folder / "models").glob("bc*")
    return cloned(env, quality, folder, "evaluate=true", f"checkpoint_path={model}", *words)


@pytest.mark.slow
@pytest.mark.parametrize("quality", SENSOR)
def test_sensor(quality: str, tmp_path: Path) -> None:
    drawn, likeliest = SENSOR[quality]
    assert cloned("sensor", quality, tmp_path, "test_greedy=false")["return"] == pytest.approx(drawn, abs=1.5)
    greedy = again("sensor", quality, tmp_path)["return"]
    assert greedy >= likeliest - 1.5
    if quality != "poor":
        assert greedy <= likeliest + 1.5


@pytest.mark.slow
@pytest.mark.parametrize("quality", ALOHA)
def test_aloha(quality: str, tmp_path: Path) -> None:
    drawn = cloned("aloha", quality, tmp_path, "test_greedy=false")["messages_sent"]
    assert drawn == pytest.approx(ALOHA[quality], abs=1.5)
    greedy = again("aloha", quality, tmp_path)
    assert greedy["messages_sent"] < (15.0 if quality == "good" else 2.5)
    assert greedy["collisions"] < 2.5


@pytest.mark.slow
def test_the_bridge_is_blocked_or_crossed_on_a_short_way(tmp_path: Path) -> None:
    """Where both agents' habits are equally strong, the accident of the draw decides."""
    found = cloned("bridge", "good", tmp_path)["return"]
    assert any(found == pytest.approx(value, abs=1e-3) for value in (-1.2355, -1.2591, -1.2855, -1.2904, -15.4952))
