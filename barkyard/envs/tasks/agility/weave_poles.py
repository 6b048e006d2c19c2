"""Five poles to weave through."""

from barkyard.agility.layout import Course
from barkyard.envs.simulation import Array
from barkyard.envs.tasks.agility.obstacles import AgilityTask, around, before


class WeavePoles(AgilityTask):
    """Pass the poles in turn, touching none, and round the last."""

    time_limit = 25.0
    present = ("weave_poles",)

    def start(self, course: Course, unit: Array) -> tuple[float, float, float]:
        """On the floor 0.6 to 1.0 m before the first pole, on the side it is passed on, facing along the poles."""
        poles = course.weave_poles
        x, y = before(
            poles.centres[0], poles.heading, 0.8 + around(unit[0], 0.2), poles.side * 0.45 + around(unit[1], 0.1)
        )
        return x, y, poles.heading + around(unit[2], 0.3)
