"""Lift a cube off a table: robosuite 1.5.2, `environments/manipulation/lift.py`."""

from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.assets.scenes import arenas, objects
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Part, Task
from barkyard.envs.tasks.manipulation.grasping import OBJECT, Grasping, GraspingOptions, add_pad_sensors
from barkyard.envs.visual.painting import Area
from barkyard.rotation import quat_about_z

HALF_SIZE = (0.020, 0.022)
"""Each half edge of the cube is drawn from this range [m]."""
DENSITY = 1000.0
"""[kg/m^3], MuJoCo's default, which robosuite keeps."""
SPREAD = 0.03
"""The cube starts within this distance of the table's centre along x and y [m]."""
DROP = 0.01
"""and this far above the table [m]."""
LIFT_HEIGHT = 0.04
"""It is lifted when its centre is this far above the table [m]."""


class Lift(Task):
    """Lift the cube. Its size, pose and the arm's pose vary."""

    robot = "panda"
    control_dt = 0.05
    time_limit = 20.0
    camera = "agentview"
    memory_size = 3
    options_type = GraspingOptions
    clear_areas = tuple(Area((0.0, 0.25), side, arenas.TABLE_TOP) for side in ((-0.3, -0.12), (0.12, 0.3)))

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Table, robot and cube."""
        scene = arenas.table()
        arenas.place_robot(scene, robot, "table", calibration)
        arenas.place_object(scene, objects.cube(half_size=sum(HALF_SIZE) / 2))
        add_pad_sensors(scene, robot)
        return scene

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays, and give every simulation a cube of its own."""
        self.simulation, self.grasping = simulation, Grasping(simulation)
        model, batch = simulation.model, simulation.batch
        self._geoms = [model.geom(OBJECT + name).id for name in ("g0", "g0_vis")]
        self._tree = int(model.body_bvhadr[self.grasping.object.body])
        names = ("geom_size", "geom_rbound", "geom_aabb", "body_mass", "body_inertia", "bvh_aabb")
        self._fields = {name: batch.expand(name) for name in names}

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the arm's pose, the cube's size, and its pose on the table."""
        self.simulation.robot.set_home(ids, generators)
        for i, generator in zip(ids, generators, strict=True):
            half_size = generator.uniform(*HALF_SIZE, size=3)
            x, y = generator.uniform(-SPREAD, SPREAD, size=2)
            angle = generator.uniform(0.0, 2 * np.pi)
            self.simulation.memory[i, : self.memory_size] = half_size
            height = arenas.TABLE_TOP + DROP + half_size[2]
            self.grasping.object.place(int(i), np.array([x, y, height]), quat_about_z(angle))
        self.restore(ids)

    def restore(self, ids: Ids) -> None:
        """Write the cubes' sizes into the models: geometry, mass and inertia."""
        fields, body = self._fields, self.grasping.object.body
        for i in ids:
            half_size = self.simulation.memory[i, : self.memory_size]
            mass = DENSITY * 8.0 * np.prod(half_size)
            squares = half_size**2
            fields["body_mass"][i, body] = mass
            fields["body_inertia"][i, body] = mass / 3.0 * (squares.sum() - squares)
            for geom in self._geoms:
                fields["geom_size"][i, geom] = half_size
                fields["geom_rbound"][i, geom] = np.linalg.norm(half_size)
                fields["geom_aabb"][i, geom, 3:] = half_size
            fields["bvh_aabb"][i, self._tree, 3:] = half_size
        self.simulation.batch.set_const(ids)

    def parts(self) -> Mapping[str, Part]:
        """Robot and cube."""
        return self.grasping.parts()

    def observe(self) -> Mapping[str, Array]:
        """Robot and cube."""
        return self.grasping.observe()

    def terms(self) -> Mapping[str, Array]:
        """`reach` towards the cube, `grasp` 0 or 1, `lift` 0 or 1."""
        lifted = self.grasping.object.pos[:, 2] > arenas.TABLE_TOP + LIFT_HEIGHT
        return {
            "reach": self.grasping.reach(),
            "grasp": self.grasping.grasped().astype(np.float64),
            "lift": lifted.astype(np.float64),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """1 when lifted, else (reach + 0.25 grasp) / 2.25."""
        return np.where(terms["lift"] > 0, 1.0, (terms["reach"] + 0.25 * terms["grasp"]) / 2.25)

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The cube's centre is more than 4 cm above the table."""
        return terms["lift"] > 0
