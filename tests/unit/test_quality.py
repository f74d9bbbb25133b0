"""When a run was good enough, as the benchmark counts it."""

from __future__ import annotations

import pytest

from epymarl_cpa.experiments.measure.quality import first_enough


@pytest.mark.parametrize(("values", "place"), [
    ([0.0, 1.0, 1.0, 1.0], 1),
    ([1.0, 0.0, 1.0, 1.0], 2),  # the untrained team's does not count
    ([0.0, 1.0, 0.0, 1.0, 1.0], 3),  # nor what the next one does not confirm
    ([0.0, 0.0, 1.0], 2),  # nothing comes after the last one
    ([1.0, 0.0, 0.0], None),
    ([1.0], None)])
def test_first_enough(values: list[float], place: int | None) -> None:
    assert first_enough([20 * k for k in range(len(values))], values, 1.0) == place
