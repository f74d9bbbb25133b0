"""What all learn who have a teacher: the teacher's stage before theirs, or one that is given."""

from __future__ import annotations

from collections.abc import Sequence

from ..controllers.student_controller import PLAIN, STUDENTS, TEACHER, StudentMAC
from ..errors import UserError
from ..settings import Settings
from ..utils import checkpoint
from ..utils.manifest import check_fits
from .base import Learner, Stage
from .cpa_ar_learner import CpaArLearner
from .teaching_settings import TeachingSettings


class TaughtLearner(Learner):
    """Base of those who learn in the stage after the teacher's."""

    args: TeachingSettings
    mac: StudentMAC
    rewarded = False

    @classmethod
    def stages(cls, args: Settings) -> Sequence[Stage]:
        """The teacher learns for ``t_max`` updates as in ``cpa_ar``, unless it is given; then the students learn."""
        assert isinstance(args, TeachingSettings)
        students = Stage(STUDENTS, cls, args.student_t_max)
        return [students] if args.teacher else [Stage(TEACHER, CpaArLearner, args.t_max), students]

    def take_teacher(self) -> None:
        """Loads the teacher that is given, if any; a continued run has its own.

        Raises:
            UserError: its checkpoint is missing, damaged, of another game or of other networks.
        """
        if not self.args.teacher or self.args.checkpoint_path:
            return
        folder, manifest = checkpoint.find_whole(self.args.teacher, 0, "teacher", self.console.warning)
        if manifest["config"].get("mac") != "ar_mac":
            raise UserError(f"{folder} was trained with mac={manifest['config'].get('mac')} and holds no teacher; give "
                            "the model folder of a cpa_ar run.")
        for key, value in PLAIN.items():
            if manifest["config"].get(key, value) != value:
                raise UserError(f"{folder} was trained with {key}={manifest['config'][key]}; students need a teacher "
                                f"that sees the present state and no more, with {key}={value}.")
        check_fits(manifest, folder, self.info.spec, vars(self.args), ("hidden_dim", "n_layers", "state_levels"))
        checkpoint.load_into(self.mac.part(TEACHER), folder)
        self.console.info("teacher: %s", folder)

    @property
    def lr(self) -> float:
        return self.args.student_lr
