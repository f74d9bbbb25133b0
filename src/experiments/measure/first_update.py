"""The process that :func:`.big_data.first_update` starts: from nothing to the first updates."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FURTHER = 5  # updates


def peak() -> int:
    """The most memory of this process that was ever resident, bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
    except OSError:
        return 0
    return 1024 * int(lines.get("VmHWM", "0").split()[0])


def main(asked: dict[str, Any]) -> dict[str, float]:
    """Times, as :class:`.big_data.Begun` has them."""
    from ...config import resolve
    from ...data import load_dataset
    from ...run import prepare
    from .big_data import GAME, Sizes, sized

    imported = time.time()
    game = sized(Sizes(**asked["sizes"]))
    with tempfile.TemporaryDirectory() as results:
        config = {**resolve(asked["method"], "xor"), "env": GAME, "recipes": {}, "seed": 0,
                  "env_args": {"map_name": GAME, **asked["sizes"]},
                  "dataset": asked["path"], "local_results_path": results, "save_model": False, "batch_size": 32,
                  **asked["overrides"]}
        trial = prepare(config, None, logging.getLogger("measure"))
        learner, runner = trial.learner.learners[0], trial.runner
        built = time.time()
        learner.train(runner.run(), 1, 0)
        first, cpu, most = time.time(), time.process_time(), peak()
        for t_env in range(2, 2 + FURTHER):
            learner.train(runner.run(), t_env, 0)
        update = (time.time() - first) / FURTHER
        del trial, learner, runner
        begun = time.time()
        load_dataset(asked["path"], game, {}, 0, Path(results))
        return {"seconds": first - asked["started"], "imports": imported - asked["started"],
                "building": built - imported, "cpu": cpu, "data": time.time() - begun, "peak": most, "update": update}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
