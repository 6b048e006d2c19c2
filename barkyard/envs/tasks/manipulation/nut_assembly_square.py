"""Put a square nut on its peg: robosuite 1.5.2, `environments/manipulation/nut_assembly.py`.

robosuite keeps a round nut 10 m away, dropped from 10 m. Until it lands, 1.4 s into an episode, it makes the lifting
reward full for any grasp. It is not in this scene, so this does not happen here; all else is equal.
"""

from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.assets.scenes import arenas, objects
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Part, Task
from barkyard.envs.tasks.manipulation.arm_observation import WORKSPACE
from barkyard.envs.tasks.manipulation.grasping import Grasping, GraspingOptions, add_pad_sensors
from barkyard.envs.visual.painting import Area
from barkyard.rotation import quat_about_z

HANDLE = "handle_site"
"""The nut is held by this site of it."""
START_X, START_Y = (-0.115, -0.11), (0.11, 0.225)
"""The nut's centre starts in this range of x and y above the table [m],"""
DROP = 0.07
"""and falls from this far above it [m]: robosuite's margin of 2 cm, and 5 cm that it takes the nut to reach down."""
CLEAR_HEIGHT = 0.2
"""Lifting is complete this far above the centre of the table's board [m]."""
ON_PEG = 0.03
"""The nut is around the peg when it is this close to its axis along x and y [m],"""
LOW = 0.05
"""and lower than this above the table [m]."""
LET_GO = 0.6
"""1 - tanh(10 d) must be below this for the nut to count as placed, d the tool's distance to its centre [m]."""
_PEG = np.array(arenas.SQUARE_PEG)


class NutAssemblySquare(Task):
    """Take the square nut by its handle and put it around the square peg."""

    robot = "panda"
    control_dt = 0.05
    time_limit = 20.0
    camera = "agentview"
    options_type = GraspingOptions
    clear_areas = tuple(Area((-0.05, 0.1), side, arenas.PEGS_TOP) for side in ((-0.35, -0.1), (0.3, 0.36)))

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Table with pegs, robot and nut."""
        scene = arenas.pegs()
        arenas.place_robot(scene, robot, "table", calibration)
        arenas.place_object(scene, objects.square_nut())
        add_pad_sensors(scene, robot)
        return scene

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        self.simulation, self.grasping = simulation, Grasping(simulation, HANDLE)

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the arm's pose and the nut's pose."""
        self.simulation.robot.set_home(ids, generators)
        for i, generator in zip(ids, generators, strict=True):
            x, y = generator.uniform(*START_X), generator.uniform(*START_Y)
            angle = generator.uniform(0.0, 2 * np.pi)
            self.grasping.object.place(int(i), np.array([x, y, arenas.PEGS_TOP + DROP]), quat_about_z(angle))

    def parts(self) -> Mapping[str, Part]:
        """Robot and nut; `handle_to_tcp` is the handle's position less the tool point's."""
        return {**self.grasping.parts(), "handle_to_tcp": Part(3, -2 * WORKSPACE, 2 * WORKSPACE)}

    def observe(self) -> Mapping[str, Array]:
        """Robot and nut."""
        handle_to_tcp = self.grasping.handle_pos - self.simulation.robot.tcp_pos_world
        return {**self.grasping.observe(), "handle_to_tcp": handle_to_tcp}

    def terms(self) -> Mapping[str, Array]:
        """`reach` the handle, `grasp`, `lift` and `hover` as robosuite stages them, and `placed` 0 or 1."""
        pos, grasped = self.grasping.object.pos, self.grasping.grasped()
        missing = np.maximum(arenas.PEGS_TOP - arenas.TABLE_SIZE[2] / 2 + CLEAR_HEIGHT - pos[:, 2], 0.0)
        around = (np.abs(pos[:, :2] - _PEG) < ON_PEG).all(axis=1) & (pos[:, 2] < arenas.PEGS_TOP + LOW)
        return {
            "reach": self.grasping.reach(),
            "grasp": grasped.astype(np.float64),
            "lift": np.where(grasped, 1.0 - np.tanh(15.0 * missing), 0.0),
            "hover": 1.0 - np.tanh(10.0 * np.linalg.norm(pos[:, :2] - _PEG, axis=1)),
            "placed": (around & (self.grasping.near_centre() < LET_GO)).astype(np.float64),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """1 when placed, else the best stage: reach to 0.1, grasp 0.35, lift to 0.5, hover to 0.7."""
        lift = terms["grasp"] * (0.35 + 0.15 * terms["lift"])
        staged = np.maximum(0.1 * terms["reach"], lift + 0.2 * terms["hover"])
        return np.where(terms["placed"] > 0, 1.0, staged)

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The nut is around the peg and low, and the tool is more than 4.2 cm from its centre."""
        return terms["placed"] > 0
