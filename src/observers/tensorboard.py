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

    @classmethod
    def check(cls) -> None:
        _writer()

    def start(self, run: RunStart) -> None:
        folder = str(run.results / "tb_logs" / run.name)
        # A resumed run goes on in the folder that it began; what it showed after its checkpoint is hidden.
        self._writer = _writer()(folder, **({"purge_step": run.t_env + 1} if run.series else {}))

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self._writer.add_scalar(key, value, t_env)

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        self.evaluation(t_env, values)

    def end(self, result: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._writer.close()


def _writer() -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise UserError("use_tensorboard=true needs TensorBoard: pip install 'epymarl-cpa[tensorboard]'.") from None
    return SummaryWriter
