"""What tasks of quadrupeds share: the robot's state in its own frame, the ground around it, and their observation."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.envs.boxes import MovableBoxes
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Part
from barkyard.envs.tasks.locomotion.base_motion import MOTION, base_motion
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_about_z

SCAN_X = np.linspace(-0.4, 0.8, 11)
SCAN_Y = np.linspace(-0.24, 0.24, 5)
"""The grid of the height scan in the base's heading frame [m]: a choice, from behind the hind feet to a jump ahead."""
SCAN_SIZE = len(SCAN_X) * len(SCAN_Y)
SCAN_LIMIT = 1.0
"""Heights are observed within this distance of the nominal ground [m]."""
CLOCK = 2.2
"""Rate of the clock that is observed, to trot to [Hz]."""
UPRIGHT = 0.3
"""A robot has fallen when the vertical component of its up axis is below this."""
LOWEST = 0.10
"""and when its base is nearer to the ground than this [m]."""
_SPEED, _TURN, _JOINT_SPEED = 20.0, 60.0, 150.0


class Quadruped:
    """One quadruped in every simulation, and the movable boxes it walks on. Final.

    Positions and velocities come from the generalised coordinates, so they are of the present moment; `feet_pos` and
    `foot_contact` are of the last physics step.
    """

    def __init__(self, simulation: Simulation, boxes: Sequence[str] = ()) -> None:
        model, batch = simulation.model, simulation.batch
        robot = simulation.robot.robot
        if len(robot.feet) != 4:
            raise InvalidInput(f"robot {robot.name!r} has {len(robot.feet)} feet; this task is for quadrupeds")
        self.simulation, self.view = simulation, simulation.robot
        self.home, self.home_height = np.array(robot.home), robot.home_height
        self._geom_xpos = batch.bind("geom_xpos")
        self._feet = [model.geom(PREFIX + foot).id for foot in robot.feet]
        first = int(model.sensor_adr[model.sensor(f"contact_{robot.feet[0]}").id])
        self._contacts = slice(first, first + len(robot.feet))
        self.foot_radius = float(model.geom_size[self._feet[0], 0])
        self.boxes = MovableBoxes(simulation, boxes)
        grid = np.stack(np.meshgrid(SCAN_X, SCAN_Y, indexing="ij"), axis=-1)
        self._grid = grid.reshape(SCAN_SIZE, 2)

    @property
    def base_pos(self) -> Array:
        """`(N, 3)` live position of the base in the world frame [m]."""
        return self.simulation.qpos[:, :3]

    @property
    def base_quat(self) -> Array:
        """`(N, 4)` live orientation of the base."""
        return self.simulation.qpos[:, 3:7]

    def up(self) -> Array:
        """`(N, 3)` the world's vertical in the base frame."""
        return self._motion()[:, MOTION.UP : MOTION.UP + 3]

    def axis(self) -> Array:
        """`(N, 3)` the base's own z axis in the heading frame."""
        return self._motion()[:, MOTION.AXIS : MOTION.AXIS + 3]

    def linear_velocity(self) -> Array:
        """`(N, 3)` velocity of the base in its own frame [m/s]."""
        return self._motion()[:, MOTION.LINEAR : MOTION.LINEAR + 3]

    def angular_velocity(self) -> Array:
        """`(N, 3)` live angular velocity of the base in its own frame [rad/s]."""
        return self.simulation.qvel[:, 3:6]

    def heading(self) -> Array:
        """`(N,)` direction of the base's x axis in the horizontal plane [rad]."""
        return self._motion()[:, MOTION.HEADING]

    def heading_velocity(self) -> Array:
        """`(N, 3)` forward and lateral velocity in the heading frame [m/s], and the rate of the heading [rad/s]."""
        return self._motion()[:, MOTION.PLANAR : MOTION.PLANAR + 3]

    def _motion(self) -> Array:
        return np.asarray(base_motion(self.simulation.qpos, self.simulation.qvel))

    def to_heading(self, points: Array) -> Array:
        """Points `(N, ..., 2)` of the world in the heading frame at the base [m]."""
        heading = self.heading().reshape(-1, *[1] * (points.ndim - 2))
        offset = points - self.base_pos[:, :2].reshape(-1, *[1] * (points.ndim - 2), 2)
        cos, sin = np.cos(heading), np.sin(heading)
        x, y = offset[..., 0], offset[..., 1]
        return np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)

    @property
    def feet_pos(self) -> Array:
        """`(N, 4, 3)` centres of the feet in the world frame [m], order FL, HL, FR, HR."""
        return self._geom_xpos[:, self._feet]

    def foot_contact(self) -> NDArray[np.bool_]:
        """`(N, 4)` whether each foot touches anything."""
        return self.simulation.sensordata[:, self._contacts] > 0

    def ground(self, points: Array) -> Array:
        """`(N, P)` height of the ground under points `(N, P, 2)` of the world [m]."""
        return self.boxes.ground(points)

    def height_scan(self) -> Array:
        """`(N, SCAN_SIZE)` height of the ground around the robot, less that under it if it stood at home here [m].

        Zero everywhere on level ground when the base is at its home height; x varies slowest.
        """
        height = self.boxes.scan(self._grid, self.base_pos, self.heading())
        return height - (self.base_pos[:, 2:3] - self.home_height)

    def clearance(self) -> Array:
        """`(N,)` height of the base above the ground under it [m]."""
        return self.base_pos[:, 2] - self.ground(self.base_pos[:, None, :2])[:, 0]

    def fallen(self) -> NDArray[np.bool_]:
        """`(N,)` whether the robot lies: see `UPRIGHT` and `LOWEST`."""
        return (self.up()[:, 2] < UPRIGHT) | (self.clearance() < LOWEST)

    def stand(self, ids: Ids, generators: list[np.random.Generator], pose: Array) -> None:
        """Put the robots of `ids` on the ground at `(k, 4)` x, y, height of the ground [m] and heading [rad]."""
        self.view.set_home(ids, generators)
        self.base_pos[ids, :2] = pose[:, :2]
        self.base_pos[ids, 2] = pose[:, 2] + self.home_height + 0.01
        self.base_quat[ids] = quat_about_z(pose[:, 3])

    def parts(self) -> dict[str, Part]:
        """The robot's own senses, and sine and cosine of its clock. Velocities and `base_up` are in the base frame."""
        joints = self.view.joint_range
        margin = 0.5
        return {
            "base_up": Part(3, -1.0, 1.0),
            "base_linear_velocity": Part(3, -_SPEED, _SPEED),
            "base_angular_velocity": Part(3, -_TURN, _TURN),
            "joint_pos": Part(len(joints), tuple(joints[:, 0] - margin), tuple(joints[:, 1] + margin)),
            "joint_vel": Part(len(joints), -_JOINT_SPEED, _JOINT_SPEED),
            "last_action": Part(len(joints), -1.0, 1.0),
            "clock": Part(2, -1.0, 1.0),
        }

    def observe(self) -> dict[str, Array]:
        """Values of `parts`."""
        angle, motion = 2 * np.pi * self.phase(), self._motion()
        return {
            "base_up": motion[:, MOTION.UP : MOTION.UP + 3],
            "base_linear_velocity": motion[:, MOTION.LINEAR : MOTION.LINEAR + 3],
            "base_angular_velocity": self.angular_velocity(),
            "joint_pos": self.view.joint_pos,
            "joint_vel": self.view.joint_vel,
            "last_action": self.simulation.last_action(),
            "clock": np.stack([np.sin(angle), np.cos(angle)], axis=1),
        }

    def phase(self) -> Array:
        """`(N,)` of the clock, which runs at `CLOCK` from the beginning of the episode [cycles, in [0, 1)]."""
        return np.asarray((self.simulation.time * CLOCK) % 1.0)


def scan_part() -> Mapping[str, Part]:
    """The height scan as a part of the observation, `terrain`."""
    return {"terrain": Part(SCAN_SIZE, -SCAN_LIMIT, SCAN_LIMIT)}
