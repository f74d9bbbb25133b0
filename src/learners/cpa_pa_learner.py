"""CPA's second stage as a method: teacher, then students who agree by a key."""

from __future__ import annotations

from collections.abc import Sequence

from ..controllers.pa_controller import AgreementMAC
from ..controllers.student_controller import STUDENTS
from ..settings import Settings
from . import REGISTRY
from .base import Stage
from .convention_learner import ConventionLearner
from .student_learner import StudentLearner
from .teaching_settings import AgreementTeachingSettings


@REGISTRY.register("cpa_pa_learner")
class CpaPaLearner(StudentLearner):
    """Policy agreement: an entry of the pool for every joint action of the teacher.

    With ``policy_input=obs`` an entry is a convention instead (see :class:`.ConventionLearner`).
    """

    args: AgreementTeachingSettings
    mac: AgreementMAC

    @classmethod
    def reads_critic_input(cls, args: Settings) -> bool:
        """A teacher does; conventions without one have no critic."""
        assert isinstance(args, AgreementTeachingSettings)
        return args.policy_input == "state" or args.guided

    @classmethod
    def stages(cls, args: Settings) -> Sequence[Stage]:
        """Teacher and students; conventions need no teacher but where it guides the search for them."""
        assert isinstance(args, AgreementTeachingSettings)
        if args.policy_input == "state":
            return super().stages(args)
        *teacher, students = super().stages(args)
        return [*(teacher if args.guided else []), Stage(STUDENTS, ConventionLearner, students.length)]
