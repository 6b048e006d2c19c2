"""Two panels of 30 degrees to climb over."""

from barkyard.agility.layout import Course
from barkyard.envs.simulation import Array
from barkyard.envs.tasks.agility.obstacles import AgilityTask, around, before


class AFrame(AgilityTask):
    """Up one panel, over the ridge and down the other."""

    time_limit = 15.0
    present = ("a_frame",)

    def start(self, course: Course, unit: Array) -> tuple[float, float, float]:
        """0.7 to 1.1 m before the first panel, within 10 cm of its axis and 0.2 rad of its heading."""
        frame = course.a_frame
        x, y = before(frame.centre, frame.heading, frame.half_base + 0.9 + around(unit[0], 0.2), around(unit[1], 0.1))
        return x, y, frame.heading + around(unit[2], 0.2)
