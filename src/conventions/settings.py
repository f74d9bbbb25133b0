"""The keys of conventions."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import WIDEST, Settings, setting


@dataclass(frozen=True, kw_only=True)
class ConventionSettings(Settings):
    improvement: str = setting(choices=("auto", "table", "stages", "stationary", "imitation"), before="auto")
    fit_share: float = setting(low=0.0, high=1.0, before=0.4)
    fit_even: float = setting(low=0.0, high=1.0, before=0.3)
    fit_temperature: float = setting(low=1.0, before=5.0)
    plans: int = setting(low=1, high=WIDEST, before=8)
    ascents: int = setting(low=0, before=200)
    doubt: float = setting(low=0.0, before=0.5)
    caution: float = setting(low=0.0, before=1.0)
    scenarios: int = setting(low=1, high=WIDEST, before=256)
    model_t_max: int = setting(low=1, before=1500)
    repeat_limit: int = setting(low=0, before=0)
    law_temperature: float = setting(low=1e-6, before=0.02)

    @property
    def guided(self) -> bool:
        """Whether conventions are looked for with a teacher that sees the state as a guide."""
        return self.improvement == "stages"
