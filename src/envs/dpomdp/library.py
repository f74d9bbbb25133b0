"""The local optima of a problem, searched once and kept in the user's cache."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...utils.bounded import archive_entries
from ...utils.files import write_with
from ...utils.sources import digest, module_digest
from ..optima import user_cache
from . import kernel, policies, response, search, steps
from .model import Model
from .policies import n_histories, value
from .search import Found, local_optima

ASCENTS = 100  # finds every optimum that the literature knows, with all generators that were tried
SEED = 0
CLOSE = 1e-6  # share of its size (at least 1) by which a kept value may differ from the one that its policies have


@lru_cache(maxsize=64)
def optima(model: Model, horizon: int) -> tuple[Found, ...]:
    """Local optima, best first: always the same for a model and a horizon.

    A second for most problems, up to half a minute for large ones, the first time on a machine.

    Args:
        model: must be :func:`.search.tractable`.
        horizon: number of steps.
    """
    path = user_cache() / "dpomdp" / f"{model.digest}-{horizon}-{_searched_by()}.npz"
    found = _read(path, model, horizon)
    if found is None:
        found = local_optima(model, horizon, np.random.default_rng(SEED), ASCENTS)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, found)
        except OSError:
            pass  # a cache that cannot be written costs time only
    return tuple(found)


def _searched_by() -> str:
    """A digest of what decides the optima that are found."""
    code = [module_digest(function) for function in (kernel.kernel_of, policies.value, response.best_response,
                                                     search.local_optima, steps.together)]
    return digest([*code, ASCENTS, SEED])


def _write(path: Path, found: list[Found]) -> None:
    arrays: dict[str, Any] = {f"policy_{k}_{i}_{t}": actions for k, (_, team) in enumerate(found)
                              for i, policy in enumerate(team) for t, actions in enumerate(policy)}
    arrays["values"] = np.array([worth for worth, _ in found])
    write_with(path, lambda file: np.savez_compressed(file, **arrays))


def _read(path: Path, model: Model, horizon: int) -> list[Found] | None:
    """What was kept; None where there is nothing, or not what belongs there."""
    try:
        archive_entries(path)
        with np.load(path, allow_pickle=False) as file:
            found = [(float(worth), [[np.asarray(file[f"policy_{k}_{i}_{t}"]) for t in range(horizon)]
                                     for i in range(model.n_agents)]) for k, worth in enumerate(file["values"])]
    except Exception:  # zipfile, zlib and NumPy raise some dozen kinds for damaged bytes
        return None
    for _, team in found:
        for i, policy in enumerate(team):
            for t, actions in enumerate(policy):
                if actions.shape != (n_histories(model, i, t),) or actions.dtype.kind != "i" or actions.min() < 0 \
                        or actions.max() >= model.n_actions[i]:
                    return None
    fits = bool(found) and all(abs(value(model, team, horizon) - worth) < CLOSE * max(1.0, abs(worth))
                               for worth, team in found)
    return found if fits else None
