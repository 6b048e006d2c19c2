"""N simulations of one scene, stepped together, with a view of the robot in them."""

import functools
from collections.abc import Callable, Sequence

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from barkyard.assets.robot import Robot
from barkyard.control.controller import Controller, ToolController, Watch
from barkyard.control.joint_target import JointTargetController
from barkyard.control.native import installed
from barkyard.envs.robot_view import RobotView
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]
Ids = NDArray[np.intp]

_STAGE = int(mujoco.mjtStage.mjSTAGE_ACC)
_NO_STAGE = int(mujoco.mjtStage.mjSTAGE_NONE)


class Simulation:
    """`mujoco.batch.Batch` with a controller, control periods, and errors kept to the simulation they happen in.

    After `forward` every derived array (poses, sensors) describes the present state. After `step` it does so too if
    `refresh` was asked for; else it describes the state one physics step earlier, which saves a sixth of the time.

    Attributes:
        model: the compiled scene.
        num_envs: N.
        memory: `(N, M)` task memory, part of the state.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        robot: Robot,
        controller: Controller,
        num_envs: int,
        control_dt: float,
        num_threads: int,
        refresh: bool = True,
        watched: Sequence[Watch] = (),
    ) -> None:
        self._stage = _STAGE if refresh else _NO_STAGE
        self.model, self.controller, self.num_envs = model, controller, num_envs
        self.substeps = round(control_dt / model.opt.timestep)
        self.control_dt = self.substeps * model.opt.timestep
        threads = min(num_threads, num_envs) if num_threads else 0
        controller.configure(model, self.substeps, watched)
        self.batch = Batch(model, num_envs, 1 if num_envs == 1 else threads)
        userdata = self.batch.bind("userdata")
        self._control_memory = userdata[:, : controller.memory_size]
        self.memory = userdata[:, controller.memory_size :]
        self.ctrl = self.batch.bind("ctrl")
        self.qpos, self.qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self.xpos, self.xquat = self.batch.bind("xpos"), self.batch.bind("xquat")
        self.site_xpos, self.sensordata = self.batch.bind("site_xpos"), self.batch.bind("sensordata")
        self.time = self.batch.bind("time")
        self.robot = RobotView(model, self.batch, robot)

    def step(self, actions: NDArray[np.float32], each_substep: Callable[[], None] | None = None) -> dict[int, str]:
        """Advance one control period with `(N, A)` actions. Returns what went wrong, by simulation.

        `each_substep`, for hidden dynamics, is called before every physics step; without it all are one call.
        """
        self.controller.command(self._control_memory, self.ctrl, actions)
        counts = self.batch.warning[:, :, 1]
        before = counts.copy()
        if each_substep is None:
            errors = self._call(lambda: self.batch.step(nstep=self.substeps, stage=self._stage))
        else:
            errors = self._call_each(each_substep)
        for i, warning in np.argwhere(counts > before):
            errors.setdefault(int(i), f"MuJoCo warned: {mujoco.mjtWarning(int(warning)).name}")
        return errors

    def _call_each(self, each_substep: Callable[[], None]) -> dict[int, str]:
        errors: dict[int, str] = {}
        for substep in range(1, self.substeps + 1):
            each_substep()
            stage = self._stage if substep == self.substeps else _NO_STAGE
            errors |= self._call(functools.partial(self.batch.step, stage=stage))
        return errors

    def begin_reset(self, ids: Ids) -> None:
        """Set the state of `ids` to the model's defaults; the task then writes the initial state."""
        self.batch.reset(ids, stage=_NO_STAGE)

    def end_reset(self, ids: Ids) -> dict[int, str]:
        """Start the controller from the state that was written, and bring the derived arrays up to date."""
        self.controller.reset(self._control_memory, self.ctrl, ids, self.robot.joint_pos[ids])
        return self.forward(ids)

    def forward(self, ids: Ids | None = None) -> dict[int, str]:
        """Bring derived arrays up to date with the state. Returns what went wrong, by simulation."""
        return self._call(lambda: self.batch.forward(ids, stage=_STAGE))

    def elapsed_steps(self) -> NDArray[np.int64]:
        """`(N,)` control periods since each simulation's reset."""
        return np.rint(self.time / self.control_dt).astype(np.int64)

    def gripper_target(self) -> Array:
        """`(N, 1)` normalised position the gripper is driven to: -1 open, +1 closed."""
        return self._tool().gripper_target(self._control_memory)

    def last_action(self) -> Array:
        """`(N, A)` the last action."""
        return self._targets().last_action(self._control_memory)

    def seen(self) -> NDArray[np.bool_]:
        """`(N, W)` which of the watches were met at any physics step of the last control period."""
        return self._targets().seen(self._control_memory)

    def delay_steps(self) -> Array:
        """`(N,)` live: how many physics steps late joint targets take effect, whole numbers up to `substeps`."""
        return self._targets().delay_steps(self._control_memory)

    def _targets(self) -> JointTargetController:
        assert isinstance(self.controller, JointTargetController)
        return self.controller

    def _tool(self) -> ToolController:
        if not isinstance(self.controller, ToolController):
            raise InvalidInput(f"robot {self.robot.robot.name!r} holds no tool with this controller")
        return self.controller

    def tool_action(self, move: Array, turn: Array, gripper: Array) -> NDArray[np.float32]:
        """The action that, held, moves the tool by `move` and `turn` in every control period.

        Args:
            move: `(N, 3)` displacement of the tool point in the world frame [m].
            turn: `(N, 3)` rotation vector in the world frame [rad].
            gripper: `(N,)` gripper command in [-1, 1], +1 closing.

        Returns:
            `(N, A)` actions of this simulation's controller.
        """
        to_base = self.robot.base_matrix_world().transpose(0, 2, 1)

        def jacobian() -> Array:
            position, rotation = self.batch.jac(self.robot.tcp_body, self.robot.tcp_pos_world)
            return np.concatenate([to_base @ position, to_base @ rotation], axis=1)[:, :, self.robot.velocity_span]

        move, turn = (to_base @ move[:, :, None])[:, :, 0], (to_base @ turn[:, :, None])[:, :, 0]
        return self._tool().tool_action(move, turn, gripper, self.control_dt, jacobian)

    def _call(self, function: Callable[[], None]) -> dict[int, str]:
        with installed():
            try:
                function()
            except SimulationError as error:
                return {int(i): self.batch.error(int(i)) for i in error.ids}
        return {}
