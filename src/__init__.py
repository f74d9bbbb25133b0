"""Offline multi-agent reinforcement learning by Cooperative Policy Agreement.

Scripts and notebooks need the names in ``__all__`` only; each is loaded when it is first asked for.
"""

__version__ = "0.2.0"

#: where the public names are; ``__init__.pyi`` says the same to type checkers
_HOMES = {
    "Comparison": "api.comparing", "Evaluation": "api.evaluating", "OfflineDataset": "data.dataset",
    "TeamPolicy": "api.playing", "TrainedRun": "api.training", "UserError": "errors", "Verdict": "selection.verdict",
    "arrays_from_dataset": "data.flat", "compare": "api.comparing", "dataset_from_arrays": "data.flat",
    "evaluate": "api.evaluating", "export": "api.teams", "load_dataset": "api.datasets", "load_policy": "api.playing",
    "make_env": "api.environments", "select": "api.selecting", "train": "api.training"}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
