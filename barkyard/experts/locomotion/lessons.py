"""The lessons of the walking skills."""

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.simulation import Array, Ids
from barkyard.envs.tasks.locomotion.rough import QuadrupedRough
from barkyard.envs.tasks.locomotion.velocity import QuadrupedVelocity
from barkyard.experts.locomotion.network import Floats
from barkyard.experts.locomotion.ppo import Lesson
from barkyard.experts.locomotion.walking import GAIT_FREQUENCY, OBSERVATION_SIZE, Walk, WalkReward


LEVEL_STEP = 0.1
"""How far an environment's level rises after a good episode and falls after a fall."""
GOOD_ERROR = 0.5
"""Mean velocity error of a good episode [m/s]."""


class WalkLesson(Lesson):
    """Track the commands of a velocity task; rough ground gets harder as it goes well. Final."""

    observation_size = OBSERVATION_SIZE

    def __init__(self, env: RobotVectorEnv) -> None:
        task = env.task
        assert isinstance(task, QuadrupedVelocity)
        self.env, self.task = env, task
        self.walk, self._reward = Walk(task.quadruped), WalkReward(task.quadruped)
        self._sums: dict[str, list[float]] = {}
        self._ages: list[int] = []
        self._age = np.zeros(env.num_envs, dtype=np.int64)
        self._error = np.zeros(env.num_envs)
        if isinstance(task, QuadrupedRough):
            task.next_level[:] = np.linspace(0.0, 0.3, env.num_envs)

    def finish(self, ids: Ids, failed: NDArray[np.bool_]) -> None:
        """Set the level of the coming episodes."""
        if isinstance(self.task, QuadrupedRough):
            good = self._error[ids] < GOOD_ERROR * np.maximum(self._age[ids], 1)
            level = self.task.next_level[ids] + LEVEL_STEP * np.where(failed, -1.0, good)
            self.task.next_level[ids] = np.where(level > 1.0, level % 1.0, np.maximum(level, 0.0))

    def begin(self, ids: Ids) -> None:
        """Episodes begin."""
        self._reward.begin(ids)
        self._ages += self._age[ids].tolist()
        self._age[ids], self._error[ids] = 0, 0.0

    def phase(self) -> Array:
        """`(N,)` of the trot clock."""
        return (self.env.simulation.time * GAIT_FREQUENCY) % 1.0

    def observe(self) -> Floats:
        """The walking network's view."""
        view, self._mirrored = self.walk.observe(self.task.command, self.phase())
        return view

    def act(self, outputs: Floats) -> Floats:
        """Joint targets."""
        return self.walk.act(outputs, self._mirrored)

    def reward(self) -> Array:
        """The walking reward times the control period."""
        reward, parts = self._reward(self.task.command, self.phase())
        error = np.linalg.norm(self.task.tracking_error()[:, :2], axis=1)
        self._age += 1
        self._error += error
        extra = {"reward": reward, "error": error}
        if isinstance(self.task, QuadrupedRough):
            extra["level"] = self.task.level
        for name, values in {**parts, **extra}.items():
            self._sums.setdefault(name, []).append(float(values.mean()))
        return reward * self.env.control_dt

    def progress(self) -> dict[str, float]:
        """Means of the parts of the reward, and of the lengths of the episodes that ended [s]."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        ages = [age for age in self._ages if age > 0]
        means["length"] = float(np.mean(ages)) * self.env.control_dt if ages else 0.0
        self._sums, self._ages = {}, []
        return means
