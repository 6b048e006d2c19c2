"""Joint position targets for robots whose actuators are position servos."""

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.control.configuration import reserve_configuration, write_configuration
from barkyard.control.controller import Controller, Watch
from barkyard.control.kernels import JOINT_TARGET, MAGIC, MEMORY
from barkyard.control.target_kernel import MAX_WATCHED, TARGET_CONFIG, TARGET_MEMORY
from barkyard.errors import InvalidInput

ACTION_SCALE = 1.0
"""What an action of 1 means [rad]. Half of it, MuJoCo Playground's scale, is too little where actions end at +-1: a
bound had thighs and knees at the limit for 60 % of the time."""


class JointTargetController(Controller):
    """`JOINT_TARGET`: the action is an offset from the home pose, `ACTION_SCALE` [rad] per joint.

    Targets are kept inside the actuators' control ranges. They may take effect some physics steps late, and sensors can
    be watched at every physics step; `target_kernel` does both. Final.
    """

    def __init__(self, robot: Robot) -> None:
        self.robot, self.action_dim = robot, len(robot.joints)
        self.memory_size = max(TARGET_MEMORY.BLOCKS + 3 * self.action_dim, MEMORY.SIZE)
        self._home = np.array(robot.home)
        starts = [TARGET_MEMORY.BLOCKS + block * self.action_dim for block in range(3)]
        self._action, self._newest, self._older = (slice(start, start + self.action_dim) for start in starts)

    def prepare(self, spec: mujoco.MjSpec) -> None:
        """Reserve room for the configuration. Raises InvalidInput if an actuator is not a position servo."""
        for name in self.robot.actuators:
            actuator = spec.actuator(PREFIX + name)
            if actuator.biastype != mujoco.mjtBias.mjBIAS_AFFINE or actuator.biasprm[1] == 0.0:
                raise InvalidInput(
                    f"JOINT_TARGET needs position servos, and actuator {name!r} of {self.robot.name!r} is none"
                )
        reserve_configuration(spec)

    def configure(self, model: mujoco.MjModel, substeps: int, watched: Sequence[Watch] = ()) -> None:
        """Read the control ranges, and write what the kernel needs."""
        ids = [model.actuator(PREFIX + name).id for name in self.robot.actuators]
        if ids != list(range(len(ids))):
            raise InvalidInput(f"the actuators of {self.robot.name!r} must be the model's first, got ids {ids}")
        if len(watched) > MAX_WATCHED:
            raise InvalidInput(f"{len(watched)} watches are asked for; there is room for {MAX_WATCHED}")
        self._low, self._high = model.actuator_ctrlrange[ids].T
        config = np.zeros(TARGET_CONFIG.SIZE)
        config[TARGET_CONFIG.MAGIC], config[TARGET_CONFIG.KIND] = MAGIC, JOINT_TARGET
        config[TARGET_CONFIG.DOF], config[TARGET_CONFIG.SUBSTEPS] = self.action_dim, substeps
        config[TARGET_CONFIG.NUM_WATCHED] = len(watched)
        for k, watch in enumerate(watched):
            at = TARGET_CONFIG.WATCHED + 3 * k
            config[at : at + 3] = *_values(model, watch), watch.absent
        write_configuration(model, config)
        self._config, self._substeps = config, substeps

    def reset(
        self,
        memory: NDArray[np.float64],
        ctrl: NDArray[np.float64],
        ids: NDArray[np.intp],
        joint_pos: NDArray[np.float64],
    ) -> None:
        """Targets are the home pose, the last action is zero, nothing has been seen; the delay stays."""
        del joint_pos
        memory[ids, TARGET_MEMORY.SEEN : TARGET_MEMORY.BLOCKS] = 0.0
        memory[ids, self._action] = 0.0
        memory[ids, self._newest] = memory[ids, self._older] = self._home
        memory[ids, TARGET_MEMORY.SUBSTEP] = self._substeps
        ctrl[ids, : self.action_dim] = self._home

    def command(self, memory: NDArray[np.float64], ctrl: NDArray[np.float64], actions: NDArray[np.float32]) -> None:
        """Hand over the targets, and forget what was seen."""
        del ctrl
        memory[:, TARGET_MEMORY.SUBSTEP] = 0.0
        memory[:, TARGET_MEMORY.SEEN : TARGET_MEMORY.BLOCKS] = 0.0
        memory[:, self._action] = actions
        memory[:, self._newest] = np.clip(self._home + ACTION_SCALE * actions, self._low, self._high)

    def last_action(self, memory: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(N, J)` the action of the last control period."""
        return memory[:, self._action]

    def delay_steps(self, memory: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(N,)` live: how many physics steps late targets take effect, whole numbers up to those of a period."""
        return memory[:, TARGET_MEMORY.DELAY]

    def seen(self, memory: NDArray[np.float64]) -> NDArray[np.bool_]:
        """`(N, MAX_WATCHED)` which watches were met at any physics step of the last control period."""
        return memory[:, TARGET_MEMORY.SEEN : TARGET_MEMORY.BLOCKS] == 1.0


def _values(model: mujoco.MjModel, watch: Watch) -> tuple[int, int]:
    """Where the watched sensors' values begin, and how many they are.

    Raises:
        InvalidInput: others lie between, or their values are not known yet when controls are computed.
    """
    sensors = [model.sensor(name).id for name in watch.sensors]
    if (model.sensor_needstage[sensors] == mujoco.mjtStage.mjSTAGE_ACC).any():
        raise InvalidInput(f"watched sensors must not need accelerations or forces, got {', '.join(watch.sensors)}")
    first, size = int(model.sensor_adr[sensors[0]]), int(model.sensor_dim[sensors].sum())
    ends = int(model.sensor_adr[sensors[-1]] + model.sensor_dim[sensors[-1]])
    if sensors != sorted(sensors) or ends - first != size:
        raise InvalidInput(f"watched sensors must follow one another in the model, got {', '.join(watch.sensors)}")
    return first, size
