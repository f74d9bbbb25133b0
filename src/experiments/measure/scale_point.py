"""One point of :mod:`.scale`: ``python -m epymarl_cpa.experiments.measure.scale_point JSON`` prints what it found."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ...utils.process import keep_freed_memory, peak_memory
from .plan import Plan
from .shapes import Shape, shaped
from .timing import digits, interleaved, once
from .trials import Stepper, trial_of


def measure_point(plan: Plan, shape: Shape) -> dict[str, float]:
    """Milliseconds of a training step, seconds of making the data, MB before anything is made and at the most."""
    empty = _resident()
    with shaped(shape) as env:
        steps: list[Stepper] = []
        making = once(lambda: steps.append(Stepper(trial_of(plan, "cpa_ar", env))))
    found = interleaved({"step": steps[0]}, 1, plan.times(10), 1 if plan.quick else 3, plan.device)["step"]
    return {"step ms": found.ms, "making s": digits(making), "empty MB": empty, "memory MB": _resident()}


def _resident() -> float:
    """The largest resident memory of this process so far, in MB."""
    return peak_memory() / 1e6


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    keep_freed_memory()
    here = Plan(folder=Path("datasets"), words=tuple(asked["words"]), device=asked["device"], threads=asked["threads"])
    print(json.dumps(measure_point(here, Shape(**asked["shape"]))))
