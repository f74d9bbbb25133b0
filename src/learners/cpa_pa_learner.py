"""CPA's second stage as a method: teacher, then students who agree by a key."""

from __future__ import annotations

from ..controllers.pa_controller import AgreementMAC
from . import REGISTRY
from .student_learner import StudentLearner


@REGISTRY.register("cpa_pa_learner")
class CpaPaLearner(StudentLearner):
    """Policy agreement: an entry of the pool for every joint action of the teacher."""

    mac: AgreementMAC
