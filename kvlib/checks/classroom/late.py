"""The penalty of a late submission, as a plugin of nbgrader.

c.AssignLatePenalties.plugin_class = "kvlib.checks.classroom.late.PerDay"
c.PerDay.per_day = 0.1
"""

import math

from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Float

DAY = 24 * 3600


class PerDay(LateSubmissionPlugin):
    """A share of the score for each day that has begun, after a time of grace."""

    per_day = Float(0.0, min=0, max=1, help="the share of the score that each day costs").tag(config=True)
    grace_minutes = Float(15.0, min=0, help="so late is not late").tag(config=True)
    most = Float(1.0, min=0, max=1, help="the share that is lost at most").tag(config=True)

    def late_submission_penalty(self, student_id, score, total_seconds_late):
        """The points that are taken off, or None if none are."""
        late = total_seconds_late - 60 * self.grace_minutes
        if late <= 0 or not self.per_day:
            return None
        return score * min(self.most, self.per_day * math.ceil(late / DAY))
