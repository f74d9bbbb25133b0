"""The policy-agreement controller: students that act at once, without a word, and still as one team."""

from __future__ import annotations

from . import REGISTRY
from .student_controller import StudentMAC


@REGISTRY.register("pa_mac")
class AgreementMAC(StudentMAC):
    """Plays the students' joint actions by policy agreement.

    In tests with ``test_greedy`` the team plays its most likely entry; otherwise the entry that the
    agreement key means.  Keys depend on seed, episode and step only (see :class:`.EpisodeKeys`); episodes
    are counted by :meth:`init_hidden`, and those of tests from 0 after every :meth:`seed_tests`.
    """
