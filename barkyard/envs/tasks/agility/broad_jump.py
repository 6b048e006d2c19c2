"""One board to jump over."""

from barkyard.agility.layout import Course
from barkyard.envs.simulation import Array
from barkyard.envs.tasks.agility.obstacles import AgilityTask, around, before


class BroadJump(AgilityTask):
    """Run up and jump over the board: all feet off the ground over it, none on it."""

    time_limit = 10.0
    present = ("broad_jump",)

    def start(self, course: Course, unit: Array) -> tuple[float, float, float]:
        """1.6 to 2.2 m before the board's middle, within 10 cm of its axis and 0.1 rad of its heading."""
        board = course.broad_jump
        x, y = before(board.centre, board.heading, 1.9 + around(unit[0], 0.3), around(unit[1], 0.1))
        return x, y, board.heading + around(unit[2], 0.1)
