"""The whole agility course, after Barkour (Caluwaerts et al. 2023)."""

from barkyard.agility.layout import Course
from barkyard.envs.simulation import Array
from barkyard.envs.tasks.agility.obstacles import AgilityTask, around


class AgilityCourse(AgilityTask):
    """Start table, weave poles, A-frame, broad jump, and five seconds on the end table."""

    time_limit = 60.0

    def start(self, course: Course, unit: Array) -> tuple[float, float, float]:
        """On the start table, towards the poles, within 5 cm and 0.1 rad."""
        table = course.start_table
        return (
            table.centre[0] + around(unit[0], 0.05),
            table.centre[1] + around(unit[1], 0.05),
            table.heading + around(unit[2], 0.1),
        )
