"""Tensors of a batch of which some are made only when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Mapping

from torch import Tensor


class OnDemand(dict[str, Tensor]):
    """A dictionary of tensors; ``items`` makes those that were not made yet, too; other ways through it do not.

    Args:
        ready: tensors that are there.
        later: how the others are made.
    """

    def __init__(self, ready: Mapping[str, Tensor], later: Mapping[str, Callable[[], Tensor]]) -> None:
        super().__init__(ready)
        self._later = {key: make for key, make in later.items() if key not in ready}

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key in self._later

    def __missing__(self, key: str) -> Tensor:
        if key not in self._later:
            raise KeyError(key)
        self[key] = made = self._later.pop(key)()
        return made

    def items(self) -> ItemsView[str, Tensor]:  # type: ignore[override]  # a view, as of any mapping
        for key in list(self._later):
            self[key]
        return super().items()
