"""The lessons of the walking skills."""

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.simulation import Array, Ids
from barkyard.envs.tasks.agility.guide import HEADING_GAIN
from barkyard.envs.tasks.agility.obstacles import AgilityTask
from barkyard.envs.tasks.agility.way import RUN_UP
from barkyard.envs.tasks.locomotion.rough import QuadrupedRough
from barkyard.envs.tasks.locomotion.velocity import QuadrupedVelocity
from barkyard.errors import InvalidInput
from barkyard.experts.locomotion import jumping
from barkyard.experts.locomotion.actors import CourseExpert
from barkyard.experts.locomotion.network import Floats
from barkyard.experts.locomotion.ppo import Lesson
from barkyard.experts.locomotion.walking import OBSERVATION_SIZE, Walk, WalkReward
from barkyard.rotation import wrap_angle

LEVEL_STEP = 0.15
"""How far an environment's level rises after a good episode and falls after a poor one or a fall."""
FIRST_LEVELS = (0.0, 0.4)
"""Range of the levels at the start."""
EPISODE = 8.0
"""Longest episode of a walking lesson [s]."""
GOOD, POOR = 0.45, 0.75
"""Mean velocity errors of good and of poor episodes, as parts of the mean speed asked for (and 0.1 m/s more)."""


class WalkLesson(Lesson):
    """Track the commands of a velocity task; rough ground gets harder as it goes well."""

    observation_size = OBSERVATION_SIZE

    def __init__(self, env: RobotVectorEnv, seed: int, first_levels: tuple[float, float] = FIRST_LEVELS) -> None:
        task = env.task
        assert isinstance(task, QuadrupedVelocity)
        self._generator = np.random.default_rng(seed)
        self.env, self.task = env, task
        self.walk, self._reward = Walk(task.quadruped), WalkReward(task.quadruped)
        self._sums: dict[str, list[float]] = {}
        self._ages: list[int] = []
        self._age = np.zeros(env.num_envs, dtype=np.int64)
        self._error, self._asked = np.zeros((2, env.num_envs))
        if isinstance(task, QuadrupedRough):
            task.next_level[:] = self._generator.uniform(*first_levels, env.num_envs)

    def finish(self, ids: Ids, failed: NDArray[np.bool_]) -> None:
        """Set the level of the coming episodes."""
        if isinstance(self.task, QuadrupedRough):
            asked, error = self._asked[ids] + 0.1 * self._age[ids], self._error[ids]
            change = np.where(failed | (error > POOR * asked), -1.0, error < GOOD * asked)
            level = self.task.next_level[ids] + LEVEL_STEP * change
            anywhere = self._generator.uniform(0.0, 1.0, len(ids))
            self.task.next_level[ids] = np.where(level > 1.0, anywhere, np.maximum(level, 0.0))

    def begin(self, ids: Ids) -> None:
        """Episodes begin."""
        self._reward.begin(ids)
        self._ages += self._age[ids].tolist()
        self._age[ids], self._error[ids], self._asked[ids] = 0, 0.0, 0.0

    def expired(self) -> NDArray[np.bool_]:
        """After `EPISODE`."""
        return self._age * self.env.control_dt >= EPISODE

    def observe(self) -> Floats:
        """The walking network's view."""
        view, self._mirrored = self.walk.observe(self.task.command)
        return view

    def act(self, outputs: Floats) -> Floats:
        """Joint targets."""
        return self.walk.act(outputs, self._mirrored)

    def reward(self) -> Array:
        """The walking reward times the control period."""
        reward, parts = self._reward(self.task.command)
        error = np.linalg.norm(self.task.tracking_error()[:, :2], axis=1)
        self._age += 1
        self._error += error
        self._asked += np.linalg.norm(self.task.command[:, :2], axis=1)
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


STALLED, ASKED = 2.0, 0.3
"""For how long a command to move faster than the second [m/s] may be followed too slowly [s]."""
DIFFERENT, STUCK, LONGEST, REST = 12.0, 30.0, 26.0, 1.0
"""First episodes on a course are broken off within this, so that robots are at different places; others after this;
what the experts' runs take; and how long the end is held [s]."""
INSIDE, ASTRAY, TURNED = 0.35, 0.7, 1.0
"""Lateral distances from the board's axis that still count as over it and that end an episode [m]; and the heading
relative to the board's that does [rad]."""
FIRST_TOUCH, TOUCH, SPOILT = 2.0, 0.2, 10
"""Cost of the first control period in which a board or a pole is touched, of each later one, and how many count. It is
paid at once: whether the board was touched is not in the view, so that a bonus at the end could not be foreseen."""
TOUCHES_COUNT = 0.5
"""Part of the lesson after which touches cost."""
RESTARTS = 0.7
"""Part of the passed boards after which a robot starts again from rest."""
STARTS = 0.1
"""By how much the distances vary at which it does [m]."""


class SlopeLesson(WalkLesson):
    """Go straight over ridges of the task's slopes. Final."""

    def __init__(self, env: RobotVectorEnv, seed: int, first_levels: tuple[float, float] = FIRST_LEVELS) -> None:
        super().__init__(env, seed, first_levels)
        self._way, self._speed = np.zeros((2, env.num_envs))

    def begin(self, ids: Ids) -> None:
        """Draw which way to go, and how fast [m/s]."""
        super().begin(ids)
        self._way[ids] = np.where(self._generator.uniform(size=len(ids)) < 0.5, 0.0, np.pi)
        self._way[ids] += self._generator.uniform(-0.3, 0.3, len(ids))
        self._speed[ids] = self._generator.uniform(0.4, 1.2, len(ids))

    def observe(self) -> Floats:
        """Keep to the way."""
        error = wrap_angle(self._way - self.task.quadruped.heading())
        turn = np.clip(HEADING_GAIN * error, -1.5, 1.5)
        forward = self._speed * np.clip(np.cos(error), 0.0, 1.0)
        self.task.command[:] = np.stack([forward, self._speed * np.sin(error) * 0.5, turn], axis=1)
        return super().observe()


class CourseLesson(Lesson):
    """Walk an agility task as its guide commands, without touching a pole. Final.

    Args:
        env: an agility task.
        seed: of where and for how long the episodes are.
        skills: of `agility.way`; those that are practised, from where the shipped experts hand over to them to where
            others are asked for. None is the whole way, from the task's own starts.
        hurry: speed along the command [m/s] below which a robot does not get on, and fails after `STALLED`. At 0, who
            falls often learns to stand still; above, who walks well is less careful.
    """

    observation_size = OBSERVATION_SIZE

    def __init__(
        self, env: RobotVectorEnv, seed: int, skills: tuple[int, ...] | None = None, hurry: float = 0.0
    ) -> None:
        task = env.task
        assert isinstance(task, AgilityTask)
        self._hurry = hurry
        self.env, self.task, self.robot = env, task, task.quadruped
        self.walk, self._reward = Walk(task.quadruped), WalkReward(task.quadruped)
        self._generator = np.random.default_rng(seed)
        self._skills, self._starts = skills, None if skills is None else handovers(env, skills)
        self._limit = self._generator.uniform(0.0, DIFFERENT, env.num_envs)
        self._touches, self._age, self._at_end, self._stalled = np.zeros((4, env.num_envs))
        self._sums: dict[str, list[float]] = {}
        self._runs, self._clean, self._falls = 0, 0, 0

    def finish(self, ids: Ids, failed: NDArray[np.bool_]) -> None:
        """Count, and let the next episodes take their time."""
        whole = ~np.isfinite(self._limit[ids])
        self._runs += int(whole.sum())
        self._clean += int((whole & ~failed & (self._touches[ids] == 0) & (self._age[ids] < STUCK)).sum())
        self._falls += int(failed.sum())
        self._limit[ids] = np.inf

    def begin(self, ids: Ids) -> None:
        """Episodes begin, where others hand over if skills are given."""
        if self._starts is not None:
            states, mask = self.env.get_states(), np.zeros(self.env.num_envs, dtype=bool)
            states[ids], mask[ids] = self._starts[self._generator.integers(len(self._starts), size=len(ids))], True
            self.env.set_states(states, mask)
        self._reward.begin(ids)
        self._touches[ids], self._age[ids], self._at_end[ids], self._stalled[ids] = 0, 0.0, 0.0, 0.0

    def observe(self) -> Floats:
        """The walking network's view, under the guide's command."""
        self._command = self.task.guide.command()
        view, self._mirrored = self.walk.observe(self._command)
        return view

    def act(self, outputs: Floats) -> Floats:
        """Joint targets."""
        return self.walk.act(outputs, self._mirrored)

    def reward(self) -> Array:
        """The walking reward times the control period, less what touching poles costs."""
        reward, parts = self._reward(self._command)
        poles = self.task.contacts().poles
        cost = touch_cost(poles, self._touches)
        self._touches += poles
        self._age += self.env.control_dt
        self._at_end += self.task.guide.arrived() * self.env.control_dt
        velocity, asked = self.robot.heading_velocity()[:, :2], np.linalg.norm(self._command[:, :2], axis=1)
        slow = (velocity * self._command[:, :2]).sum(axis=1) < self._hurry * asked
        slow &= (asked > ASKED) & (self._hurry > 0.0)
        self._stalled = np.where(slow, self._stalled + self.env.control_dt, 0.0)
        error = np.linalg.norm(self._command[:, :2] - velocity, axis=1)
        for name, values in {**parts, "reward": reward, "error": error, "poles": poles}.items():
            self._sums.setdefault(name, []).append(float(values.mean()))
        return reward * self.env.control_dt - cost

    def failed(self) -> NDArray[np.bool_]:
        """Who does not get on."""
        return self._stalled > STALLED

    def expired(self) -> NDArray[np.bool_]:
        """Who has been at the end for `REST`, or is to do something else; first and stuck episodes."""
        over = (self._at_end > REST) | (self._age > np.minimum(self._limit, STUCK))
        return over if self._skills is None else over | ~np.isin(self.task.guide.skill(), self._skills)

    def progress(self) -> dict[str, float]:
        """Means of the parts of the reward; runs, the part of them without touch or fall, and falls."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        means |= {"runs": float(self._runs), "clean": self._clean / max(self._runs, 1), "falls": float(self._falls)}
        self._sums, self._runs, self._clean, self._falls = {}, 0, 0, 0
        return means


def touch_cost(touched: NDArray[np.bool_], before: Array) -> Array:
    """`(N,)` what this control period's touches cost, after `before` (N,) periods with one."""
    return np.asarray(touched * np.where(before == 0, FIRST_TOUCH, TOUCH) * (before < SPOILT))


def handovers(env: RobotVectorEnv, skills: tuple[int, ...], seed: int = 0) -> Array:
    """`(K, S)` states in which the guide begins to ask for one of the skills, while the shipped experts act.

    Raises:
        InvalidInput: nobody comes so far.
    """
    task, states = env.task, []
    assert isinstance(task, AgilityTask)
    expert = CourseExpert(env)
    env.reset(seed=seed)
    expert.reset(np.arange(env.num_envs), np.arange(env.num_envs))
    before = np.zeros(env.num_envs, dtype=bool)
    for _ in range(round(LONGEST / env.control_dt)):
        now = np.isin(task.guide.skill(), skills)
        states.append(env.get_states()[now & ~before])
        before = now
        _, _, terminated, truncated, _ = env.step(expert.act({}))
        before |= terminated | truncated
    found = np.concatenate(states)
    if not len(found):
        raise InvalidInput(f"no run of the shipped experts on {env.env_id} comes to one of the skills {skills}")
    return found


class JumpLesson(Lesson):
    """Bound along a line and clear one board after another. Final.

    The speed grows with the part of the lesson that has passed; after `TOUCHES_COUNT` of it, touching costs.
    """

    observation_size = jumping.OBSERVATION_SIZE
    mirror = jumping.MIRROR

    def __init__(self, env: RobotVectorEnv, seed: int) -> None:
        task = env.task
        assert isinstance(task, AgilityTask)
        self.env, self.task, self.robot = env, task, task.quadruped
        self.jump, self._reward = jumping.Jump(task.quadruped), jumping.JumpReward(task.quadruped)
        self._generator = np.random.default_rng(seed)
        count = env.num_envs
        self.phase, self.speed = np.zeros(count), np.ones(count)
        self._touches, self._flown = np.zeros(count), np.zeros(count, dtype=bool)
        self._sums: dict[str, list[float]] = {}
        self._passed, self._cleared, self._flew, self._falls = 0, 0, 0, 0

    def finish(self, ids: Ids, failed: NDArray[np.bool_]) -> None:
        """Count falls and strays."""
        self._falls += int(failed.sum())

    def begin(self, ids: Ids) -> None:
        """Episodes begin."""
        self._reward.begin(ids)
        count = len(ids)
        board, at = self.task.board()[ids], self.robot.base_pos[ids, :2]
        ahead = RUN_UP + self._generator.uniform(-STARTS, STARTS, count)
        across = np.column_stack([-board[:, 3], board[:, 2]])
        side = ((board[:, :2] - at) * across).sum(axis=1)[:, None] * across
        self._lay(ids, at + side + ahead[:, None] * board[:, 2:4])
        self.phase[ids] = jumping.start_phase(ahead + self._generator.uniform(-STARTS, STARTS, count) / 2)
        ramp = np.clip((self.done - 0.05) / 0.35, 0.0, 1.0)
        self.speed[ids] = self._generator.uniform(0.2 + 1.3 * ramp, 0.6 + 1.2 * ramp, len(ids))

    def observe(self) -> Floats:
        """The jumping network's view."""
        place = jumping.approach(self.robot, self.task.board())
        return self.jump.observe(place, self.speed, self.phase)

    def act(self, outputs: Floats) -> Floats:
        """Joint targets."""
        return self.jump.act(outputs, self.phase)

    def reward(self) -> Array:
        """The jumping reward times the control period, less what touching costs."""
        place = jumping.approach(self.robot, self.task.board())
        touched, _, airborne = self.task.contacts()
        reward, parts = self._reward(self.task.board(), self.speed, self.phase)
        over = np.abs(place.ahead) < place.half_length
        wrong = touched | (over & (np.abs(place.side) > INSIDE))
        cost = touch_cost(wrong, self._touches)
        self._touches += wrong
        self._flown |= over & airborne
        passed = np.flatnonzero(place.ahead < -0.9)
        clear = self._touches[passed] == 0
        total = (reward + 2.0 * (over & airborne)) * self.env.control_dt - cost * (self.done > TOUCHES_COUNT)
        self._passed += len(passed)
        self._cleared += int(clear.sum())
        self._flew += int((clear & self._flown[passed]).sum())
        self._move_on(passed)
        self._astray = (np.abs(place.side) > ASTRAY) | (np.abs(place.heading) > TURNED)
        self._expired = np.zeros(len(touched), dtype=bool)
        self._expired[passed] = self._generator.uniform(size=len(passed)) < RESTARTS
        speed = self.robot.linear_velocity()[:, 0]
        self.phase = jumping.advance_clock(
            self.phase, jumping.approach(self.robot, self.task.board()).ahead, speed, self.env.control_dt
        )
        extra = {"reward": reward, "forward": speed, "airborne": airborne, "touch": touched}
        for name, values in {**parts, **extra}.items():
            self._sums.setdefault(name, []).append(float(values.mean()))
        return total - 0.5 * (self.task.failure({}) | self._astray)

    def failed(self) -> NDArray[np.bool_]:
        """Who is astray."""
        return self._astray

    def expired(self) -> NDArray[np.bool_]:
        """`RESTARTS` of those who have passed a board, to start again from rest."""
        return self._expired

    def _move_on(self, ids: Ids) -> None:
        """Lay the next board ahead of the robots that have passed theirs."""
        if not ids.size:
            return
        board = self.task.board()[ids]
        along = self._generator.uniform(1.5, 2.6, len(ids)) + 0.9
        self._lay(ids, board[:, :2] + along[:, None] * board[:, 2:4])

    def _lay(self, ids: Ids, centre: Array) -> None:
        self.task.board()[ids, :2] = centre
        self.task.move_board(ids, centre)
        self._touches[ids], self._flown[ids] = 0.0, False

    def progress(self) -> dict[str, float]:
        """Means of the parts of the reward; boards passed, and the parts of them cleared and cleared in flight."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        passed = max(self._passed, 1)
        means |= {"passed": float(self._passed), "cleared": self._cleared / passed, "flown": self._flew / passed}
        means["falls"] = float(self._falls)
        self._sums, self._passed, self._cleared, self._flew, self._falls = {}, 0, 0, 0, 0
        return means
