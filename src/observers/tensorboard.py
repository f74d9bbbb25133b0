"""Series as TensorBoard files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from . import REGISTRY
from .base import Observer, RunStart


@REGISTRY.register("tensorboard")
class TensorBoardObserver(Observer):
    """Writes to ``tb_logs/<run>`` in the folder of results (config key ``use_tensorboard``)."""

    _writer: Any = None

    def start(self, run: RunStart) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError:
            raise UserError("use_tensorboard=true needs TensorBoard: pip install 'epymarl-cpa[tensorboard]'.") from None
        self._writer = SummaryWriter(str(run.results / "tb_logs" / run.name))  # type: ignore[no-untyped-call]

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self._writer.add_scalar(key, value, t_env)

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        self.evaluation(t_env, values)

    def end(self, result: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._writer.close()
