"""Move a can to its quarter of the other bin: robosuite 1.5.2, `environments/manipulation/pick_place.py`.

robosuite keeps three more objects 10 m away, dropped from 10 m. Until they land, 1.4 s into an episode, they make its
lifting reward full for any grasp. They are not in this scene, so this does not happen here; all else is equal.
"""

from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.assets.scenes import arenas, objects
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Options, Part, Task
from barkyard.envs.tasks.manipulation.grasping import Grasping, GraspingOptions, add_pad_sensors
from barkyard.envs.visual.painting import Area
from barkyard.rotation import quat_about_z

WALL_MARGIN = 0.05
"""Objects are placed at least this far from the bin's walls [m]."""
QUARTER = np.array(arenas.BIN_SIZE[:2]) / 2
TARGET = np.array(arenas.TARGET_BIN[:2]) + QUARTER / 2
"""Centre of the can's quarter of the target bin, x and y in the world frame [m]."""
REST_HEIGHT = 0.1
"""In the bin means lower than this above its floor [m]."""
CLEAR_HEIGHT = 0.25
"""Lifting is complete this far above the target bin's floor [m]."""
LET_GO = 0.6
"""`reach` must be below this for the can to count as placed: the gripper has moved away."""


def _other_quarters() -> tuple[Area, ...]:
    """The middles of the target bin's quarters that are not the can's."""
    x, y, height = arenas.TARGET_BIN
    areas = []
    for side_x, side_y in ((-1, -1), (-1, 1), (1, -1)):
        middle_x, middle_y = x + side_x * QUARTER[0] / 2, y + side_y * QUARTER[1] / 2
        areas.append(Area((middle_x - 0.04, middle_x + 0.04), (middle_y - 0.06, middle_y + 0.06), height))
    return tuple(areas)


class PickPlaceCan(Task):
    """Pick the can out of the source bin and leave it in its quarter of the target bin."""

    robot = "panda"
    control_dt = 0.05
    time_limit = 20.0
    camera = "agentview"
    options_type = GraspingOptions
    clear_areas = _other_quarters()

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self._footprints = objects.pick_place_footprints()

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Two bins, robot and can."""
        scene = arenas.bins()
        arenas.place_robot(scene, robot, "bins", calibration)
        arenas.place_object(scene, objects.can())
        add_pad_sensors(scene, robot)
        return scene

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        self.simulation, self.grasping = simulation, Grasping(simulation)

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the arm's pose and the can's pose."""
        self.simulation.robot.set_home(ids, generators)
        for i, generator in zip(ids, generators, strict=True):
            pos = self._draw_position(generator)
            angle = generator.uniform(0.0, 2 * np.pi)
            self.grasping.object.place(int(i), pos, quat_about_z(angle))

    def _draw_position(self, generator: np.random.Generator) -> Array:
        """The can's position when robosuite places milk, bread, cereal and can in turn without overlap."""
        half = np.array(arenas.BIN_SIZE[:2]) / 2 - WALL_MARGIN
        placed: list[tuple[Array, objects.Footprint]] = []
        for thing in self._footprints.values():
            spot = None
            while spot is None or any(np.linalg.norm(spot - at) <= thing.radius + it.radius for at, it in placed):
                spot = generator.uniform(-(half - thing.radius), half - thing.radius)
            placed.append((spot, thing))
        spot, can = placed[-1]
        return np.array([*(spot + arenas.SOURCE_BIN[:2]), arenas.SOURCE_BIN[2] - can.bottom])

    def parts(self) -> Mapping[str, Part]:
        """Robot and can."""
        return self.grasping.parts()

    def observe(self) -> Mapping[str, Array]:
        """Robot and can."""
        return self.grasping.observe()

    def terms(self) -> Mapping[str, Array]:
        """`reach`, `grasp`, `lift` and `hover` as robosuite stages them, and `placed` 0 or 1."""
        pos = self.grasping.object.pos
        reach, grasped = self.grasping.reach(), self.grasping.grasped()
        floor = arenas.TARGET_BIN[2]
        missing = np.maximum(floor + CLEAR_HEIGHT - pos[:, 2], 0.0)
        lift = np.where(grasped, 1.0 - np.tanh(15.0 * missing), 0.0)
        hover = 1.0 - np.tanh(10.0 * np.linalg.norm(pos[:, :2] - TARGET, axis=1))
        above = (np.abs(pos[:, :2] - TARGET) < np.array(arenas.BIN_SIZE[:2]) / 4).all(axis=1)
        low = np.array(arenas.TARGET_BIN[:2])
        inside = ((pos[:, :2] > low) & (pos[:, :2] < low + QUARTER)).all(axis=1)
        inside &= (pos[:, 2] > floor) & (pos[:, 2] < floor + REST_HEIGHT)
        return {
            "reach": reach,
            "grasp": grasped.astype(np.float64),
            "lift": lift,
            "hover": hover,
            "above": above.astype(np.float64),
            "placed": (inside & (reach < LET_GO)).astype(np.float64),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """1 when placed, else the best stage: reach to 0.1, grasp 0.35, lift to 0.5, hover to 0.7."""
        grasp = 0.35 * terms["grasp"]
        lift = np.where(terms["grasp"] > 0, 0.35 + 0.15 * terms["lift"], 0.0)
        hover = np.where(terms["above"] > 0, 0.5, lift) + 0.2 * terms["hover"]
        staged = np.max([0.1 * terms["reach"], grasp, lift, hover], axis=0)
        return np.where(terms["placed"] > 0, 1.0, staged)

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The can is low in its quarter of the target bin and the gripper is more than 4.2 cm away."""
        return terms["placed"] > 0
