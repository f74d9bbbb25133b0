"""The keys of conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..settings import WIDEST, Need, Settings, setting


@dataclass(frozen=True, kw_only=True)
class ConventionSettings(Settings):
    needs: ClassVar[tuple[Need, ...]] = (
        Need(("improvement", "fit_share", "fit_even", "fit_temperature", "ascents", "doubt", "caution",
              "scenarios", "model_t_max", "repeat_limit", "law_temperature"), {"policy_input": ("obs",)}),
        Need(("ascents", "doubt"), {"improvement": ("auto", "table")}),
        Need(("scenarios",), {"improvement": ("stages",)}),
        Need(("model_t_max",), {"improvement": ("stages", "stationary")}))

    improvement: str = setting(choices=("auto", "table", "stages", "stationary", "imitation"), before="auto",
                               doc="beyond the data: table (few states), stages (guided by a teacher), stationary "
                                   "(states that follow from no action), imitation (not at all), auto (table if it "
                                   "can)")
    fit_share: float = setting(low=0.0, high=1.0, before=0.4,
                               doc="share of the students' time in which entries become the conventions of the data")
    fit_even: float = setting(low=0.0, high=1.0, before=0.3,
                              doc="share of the fit in which every convention learns from as many episodes as any "
                                  "other")
    fit_temperature: float = setting(low=1.0, before=5.0,
                                     doc="flattens the likelihoods of whole episodes during the fit; falls to 1")
    plans: int = setting(low=1, high=WIDEST, before=8, doc="conventions planned, at most pool_size")
    ascents: int = setting(low=0, before=200, doc="table: how often the search begins")
    doubt: float = setting(low=0.0, before=0.5, doc="table: a step recorded n times is trusted n / (n + doubt)")
    caution: float = setting(low=0.0, before=1.0,
                             doc="standard errors taken off what a convention is estimated to be worth")
    scenarios: int = setting(low=1, high=WIDEST, before=256, doc="stages: episodes simulated at once")
    model_t_max: int = setting(low=1, before=1500, doc="stages, stationary: updates of what is learned of single steps")
    repeat_limit: int | None = setting(low=0, before=None,
                                       doc="how often an agent does the same at the same sight in an episode before it "
                                           "tries another; 0: no limit; null: where the data are imitated, as often as "
                                           "any recorded agent did where three of four recorded steps were taken, else "
                                           "no limit")
    law_temperature: float = setting(low=1e-6, before=0.02,
                                     doc="the key means a convention e times less that is worse by this share of the "
                                         "returns' spread")

    @property
    def guided(self) -> bool:
        """Whether conventions are looked for with a teacher that sees the state as a guide."""
        return self.improvement == "stages"
