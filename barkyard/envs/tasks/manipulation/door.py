"""Open a door with a latch: robosuite 1.5.2, `environments/manipulation/door.py`."""

from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.assets.scenes import arenas, objects
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Part, Task
from barkyard.envs.tasks.manipulation.arm_observation import WORKSPACE, arm_parts, observe_arm
from barkyard.envs.tasks.manipulation.grasping import GraspingOptions
from barkyard.envs.visual.painting import Area
from barkyard.rotation import quat_about_z

DOOR = "door/"
"""Prefix of the door's names."""
START_X, START_Y = (0.07, 0.09), (-0.01, 0.01)
"""The door's origin is in this range of x and y from the table's centre [m],"""
START_TURN = (-np.pi / 2 - 0.25, -np.pi / 2)
"""turned about the vertical by an angle in this range [rad],"""
HALF_HEIGHT = 0.3
"""and this far above the table [m]."""
OPEN = 0.3
"""The door is open when its hinge has turned farther than this [rad]."""


class DoorView:
    """A door's angles, and its handle. Final."""

    def __init__(self, simulation: Simulation) -> None:
        model = simulation.model
        self._simulation = simulation
        self._hinge = int(model.jnt_qposadr[model.joint(DOOR + "hinge").id])
        self._latch = int(model.jnt_qposadr[model.joint(DOOR + "latch_joint").id])
        self._door, self._latch_body = model.body(DOOR + "door").id, model.body(DOOR + "latch").id
        self._handle = model.site(DOOR + "handle").id
        self._joints = [model.joint(DOOR + name).id for name in ("hinge", "latch_joint")]
        self._anchors, self._axes = simulation.batch.bind("xanchor"), simulation.batch.bind("xaxis")

    @property
    def hinge(self) -> Array:
        """`(N, 1)` how far the door is open [rad]."""
        return self._simulation.qpos[:, self._hinge : self._hinge + 1]

    @property
    def latch(self) -> Array:
        """`(N, 1)` how far the handle is turned; positive is down [rad]."""
        return self._simulation.qpos[:, self._latch : self._latch + 1]

    @property
    def pos(self) -> Array:
        """`(N, 3)` the door leaf in the world frame [m]."""
        return self._simulation.xpos[:, self._door]

    @property
    def handle_pos(self) -> Array:
        """`(N, 3)` the free end of the handle in the world frame [m]."""
        return self._simulation.site_xpos[:, self._handle]

    @property
    def handle_quat(self) -> Array:
        """`(N, 4)` orientation of the handle, which lies along its x axis and turns about its y axis."""
        return self._simulation.xquat[:, self._latch_body]

    @property
    def hinge_line(self) -> tuple[Array, Array]:
        """A point of the hinge's axis [m] and its direction, both `(N, 3)` in the world frame."""
        return self._anchors[:, self._joints[0]], self._axes[:, self._joints[0]]

    @property
    def latch_line(self) -> tuple[Array, Array]:
        """A point of the axis that the handle turns about [m] and its direction, both `(N, 3)` in the world frame."""
        return self._anchors[:, self._joints[1]], self._axes[:, self._joints[1]]


class Door(Task):
    """Turn the handle and pull the door open. The poses of the door and of the arm vary."""

    robot = "panda"
    control_dt = 0.05
    time_limit = 20.0
    camera = "agentview"
    memory_size = 3
    options_type = GraspingOptions
    clear_areas = (Area((-0.05, 0.15), (-0.48, -0.42), arenas.DOOR_TABLE[2]),)

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Table, robot and door."""
        scene = arenas.door_table()
        arenas.place_robot(scene, robot, "table", calibration)
        arenas.place_object(scene, objects.door(), DOOR)
        return scene

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays, and give every simulation a door where it stands."""
        self.simulation, self.door = simulation, DoorView(simulation)
        self._frame = simulation.model.body(DOOR + "main").id
        self._pos, self._quat = simulation.batch.expand("body_pos"), simulation.batch.expand("body_quat")

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the arm's pose and where the door stands."""
        self.simulation.robot.set_home(ids, generators)
        for i, generator in zip(ids, generators, strict=True):
            x, y = generator.uniform(*START_X), generator.uniform(*START_Y)
            self.simulation.memory[i, : self.memory_size] = x, y, generator.uniform(*START_TURN)
        self.restore(ids)

    def restore(self, ids: Ids) -> None:
        """Write where the doors stand into the models."""
        placed = self.simulation.memory[ids, : self.memory_size]
        self._pos[ids, self._frame, :2] = placed[:, :2] + arenas.DOOR_TABLE[:2]
        self._pos[ids, self._frame, 2] = arenas.DOOR_TABLE[2] + HALF_HEIGHT
        self._quat[ids, self._frame] = quat_about_z(placed[:, 2])

    def parts(self) -> Mapping[str, Part]:
        """Robot and door; `door_to_tcp` and `handle_to_tcp` are positions less the tool point's."""
        return {
            **arm_parts(self.simulation.robot),
            "door_pos_world": Part(3, -WORKSPACE, WORKSPACE),
            "door_to_tcp": Part(3, -2 * WORKSPACE, 2 * WORKSPACE),
            "door_hinge": Part(1, -1.0, 1.0),
            "handle_pos_world": Part(3, -WORKSPACE, WORKSPACE),
            "handle_to_tcp": Part(3, -2 * WORKSPACE, 2 * WORKSPACE),
            "handle_turn": Part(1, -2.0, 2.0),
        }

    def observe(self) -> Mapping[str, Array]:
        """Robot and door."""
        tcp = self.simulation.robot.tcp_pos_world
        return {
            **observe_arm(self.simulation),
            "door_pos_world": self.door.pos,
            "door_to_tcp": self.door.pos - tcp,
            "door_hinge": self.door.hinge,
            "handle_pos_world": self.door.handle_pos,
            "handle_to_tcp": self.door.handle_pos - tcp,
            "handle_turn": self.door.latch,
        }

    def terms(self) -> Mapping[str, Array]:
        """`reach` the handle, `turn` it by a quarter turn in either sense, `open` 0 or 1."""
        distance = np.linalg.norm(self.door.handle_pos - self.simulation.robot.tcp_pos_world, axis=1)
        return {
            "reach": 1.0 - np.tanh(10.0 * distance),
            "turn": np.minimum(np.abs(self.door.latch[:, 0]) / (0.5 * np.pi), 1.0),
            "open": (self.door.hinge[:, 0] > OPEN).astype(np.float64),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """1 when open, else (reach + turn) / 4."""
        return np.where(terms["open"] > 0, 1.0, 0.25 * (terms["reach"] + terms["turn"]))

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The hinge has turned by more than 0.3 rad."""
        return terms["open"] > 0
