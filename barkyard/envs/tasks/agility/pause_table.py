"""A table to step onto and stay on."""

from barkyard.agility.layout import Course
from barkyard.envs.simulation import Array
from barkyard.envs.tasks.agility.obstacles import AgilityTask, around, before


class PauseTable(AgilityTask):
    """Step onto the table, 0.1 m high, and stay for five seconds."""

    time_limit = 15.0
    present = ("end_table",)

    def start(self, course: Course, unit: Array) -> tuple[float, float, float]:
        """1.2 to 1.8 m before the table's middle, within 20 cm of its axis and 0.3 rad of its heading."""
        table = course.end_table
        x, y = before(table.centre, table.heading, 1.5 + around(unit[0], 0.3), around(unit[1], 0.2))
        return x, y, table.heading + around(unit[2], 0.3)
