"""What tasks of quadrupeds share: the robot's state in its own frame, the ground around it, and their observation."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.envs.height import ground_height
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Part
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_about_z, quat_multiply

SCAN_X = np.linspace(-0.4, 0.8, 11)
SCAN_Y = np.linspace(-0.24, 0.24, 5)
"""The grid of the height scan in the base's heading frame [m]: a choice, from behind the hind feet to a jump ahead."""
SCAN_SIZE = len(SCAN_X) * len(SCAN_Y)
SCAN_LIMIT = 1.0
"""Heights are observed within this distance of the nominal ground [m]."""
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
        self._contacts = [int(model.sensor_adr[model.sensor(f"contact_{foot}").id]) for foot in robot.feet]
        self.foot_radius = float(model.geom_size[self._feet[0], 0])
        mocap = [int(model.body_mocapid[model.body(name).id]) for name in boxes]
        geoms = [model.geom(name).id for name in boxes]
        self._mocap, self._geoms = np.array(mocap, np.intp), np.array(geoms, np.intp)
        self.box_pos, self.box_quat = batch.bind("mocap_pos"), batch.bind("mocap_quat")
        half = model.geom_size[self._geoms].reshape(1, len(boxes), 3)
        self.box_half_size: Array = np.repeat(half, simulation.num_envs, axis=0)
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

    def rotation(self) -> Array:
        """`(N, 3, 3)` axes of the base in the world frame, as columns."""
        w, x, y, z = self.base_quat.T
        rows = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        return np.array(rows).transpose(2, 0, 1)

    def up(self) -> Array:
        """`(N, 3)` the world's vertical in the base frame."""
        return self.rotation()[:, 2]

    def linear_velocity(self) -> Array:
        """`(N, 3)` velocity of the base in its own frame [m/s]."""
        return np.einsum("nij,ni->nj", self.rotation(), self.simulation.qvel[:, :3])

    def angular_velocity(self) -> Array:
        """`(N, 3)` live angular velocity of the base in its own frame [rad/s]."""
        return self.simulation.qvel[:, 3:6]

    def heading(self) -> Array:
        """`(N,)` direction of the base's x axis in the horizontal plane [rad]."""
        w, x, y, z = self.base_quat.T
        return np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))

    def heading_velocity(self) -> Array:
        """`(N, 3)` forward and lateral velocity in the heading frame [m/s], and the rate of the heading [rad/s]."""
        heading, vel = self.heading(), self.simulation.qvel
        cos, sin = np.cos(heading), np.sin(heading)
        turn = np.einsum("nj,nj->n", self.up(), vel[:, 3:6])
        return np.stack([cos * vel[:, 0] + sin * vel[:, 1], cos * vel[:, 1] - sin * vel[:, 0], turn], axis=1)

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
        if not len(self._mocap):
            return np.zeros(points.shape[:2])
        return np.asarray(
            ground_height(
                np.ascontiguousarray(points),
                np.ascontiguousarray(self.box_pos.reshape(len(points), -1, 3)[:, self._mocap]),
                np.ascontiguousarray(self.box_quat.reshape(len(points), -1, 4)[:, self._mocap]),
                self.box_half_size,
            )
        )

    def height_scan(self) -> Array:
        """`(N, SCAN_SIZE)` height of the ground around the robot, less that under it if it stood at home here [m].

        Zero everywhere on level ground when the base is at its home height; x varies slowest.
        """
        heading = self.heading()
        cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
        x, y = self._grid[:, 0], self._grid[:, 1]
        points = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1) + self.base_pos[:, None, :2]
        return self.ground(points) - (self.base_pos[:, 2:3] - self.home_height)

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
        tilt = np.array([1.0, 0.0, 0.0, 0.0])
        self.base_quat[ids] = quat_multiply(quat_about_z(pose[:, 3]), np.tile(tilt, (len(ids), 1)))

    def parts(self) -> dict[str, Part]:
        """The robot's own senses. Velocities and `base_up` are in the base frame."""
        joints = self.view.joint_range
        margin = 0.5
        return {
            "base_up": Part(3, -1.0, 1.0),
            "base_linear_velocity": Part(3, -_SPEED, _SPEED),
            "base_angular_velocity": Part(3, -_TURN, _TURN),
            "joint_pos": Part(len(joints), tuple(joints[:, 0] - margin), tuple(joints[:, 1] + margin)),
            "joint_vel": Part(len(joints), -_JOINT_SPEED, _JOINT_SPEED),
            "last_action": Part(len(joints), -1.0, 1.0),
        }

    def observe(self) -> dict[str, Array]:
        """Values of `parts`."""
        return {
            "base_up": self.up(),
            "base_linear_velocity": self.linear_velocity(),
            "base_angular_velocity": self.angular_velocity(),
            "joint_pos": self.view.joint_pos,
            "joint_vel": self.view.joint_vel,
            "last_action": self.simulation.last_action(),
        }


def scan_part() -> Mapping[str, Part]:
    """The height scan as a part of the observation, `terrain`."""
    return {"terrain": Part(SCAN_SIZE, -SCAN_LIMIT, SCAN_LIMIT)}
