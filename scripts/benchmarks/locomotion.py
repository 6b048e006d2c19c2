"""Environment steps per second of the quadrupeds' tasks, side by side in one run.

Each round measures everything in turn for a fixed time, so that a machine that slows down slows all alike; medians
over rounds are compared. All robots make the same half second of a trot, recorded once, from the same states, over and
over; putting them back is not timed. Against ours stand:

- `physics`: `Batch.step` of the same models from the same states with the same targets; no observation, no reward, no
  delay, nothing watched.
- `sync`, `async`: gymnasium's vector environments around `PlainQuadruped` below, which steps the same model with
  `mj_step` and gives the same observation and reward; before anything is timed, that is checked. It draws no parameters
  and fills no `info`, which saves it work. `async` has one process a copy, so it is left out where they are too many.
- `envpool`: its BarkourJoystick, another task of the same robot and rate, under small random actions.
- `PPO`: whole training steps, learning included.
"""

import argparse
import importlib.util
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from barkyard.agility import OBSTACLES, Course, tracker
from barkyard.control.joint_target import ACTION_SCALE
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.agility.guide import MEMORY, Guide
from barkyard.envs.tasks.agility.scenery import BOXES, POLES
from barkyard.envs.tasks.agility.way import plan
from barkyard.envs.tasks.locomotion.quadruped import CLOCK, LOWEST, SCAN_X, SCAN_Y, UPRIGHT
from barkyard.envs.tasks.locomotion.velocity import HOLD, TOLERANCE
from barkyard.experts.locomotion.trot import trot_expert

VELOCITY, COURSE = "QuadrupedVelocity", "AgilityCourse"
STEPS, WARM_UP = 25, 50
"""Control periods of a burst, and of the trot before it."""
SIZES = (1, 64, 256)
Array = NDArray[np.float64]
Burst = Callable[[], tuple[int, float]]
"""Does some control periods; returns how many, over all copies, and the seconds they took."""


@dataclass(frozen=True)
class Recording:
    """Half a second of a task with N copies: `states` (N, S) at the start, `actions` (STEPS, N, 12)."""

    states: Array
    actions: NDArray[np.float32]


def make(task: str, count: int, threads: int, randomization: str = "default") -> RobotVectorEnv:
    """Ours."""
    env_id = f"barkyard/{task}-v0"
    return make_vec_env(env_id, count, num_threads=threads, randomization=randomization, autoreset_mode="Disabled")


def record(task: str, count: int, threads: int) -> Recording:
    """Trot in the velocity task; in the other, the same actions follow from the start."""
    env: Any = make(VELOCITY, count, threads)
    expert, (observations, _) = trot_expert(env), env.reset(seed=0)
    expert.reset(np.arange(count), np.arange(count))
    actions, start = np.zeros((STEPS, count, 12), np.float32), env.get_states()
    for step in range(WARM_UP + STEPS):
        env.task.command[:] = [0.5, 0.0, 0.0]
        if step == WARM_UP:
            start = env.get_states()
        action = expert.act(observations)
        if step >= WARM_UP:
            actions[step - WARM_UP] = action
        observations, *_ = env.step(action)
    if task == COURSE:
        env = make(COURSE, count, threads)
        env.reset(seed=0)
        start = env.get_states()
    return Recording(start, actions)


def environment_burst(task: str, recording: Recording, threads: int) -> Burst:
    """Our environment."""
    env = make(task, len(recording.states), threads)
    env.reset(seed=0)

    def burst() -> tuple[int, float]:
        env.simulation.batch.state[:] = recording.states
        began = time.perf_counter()
        for actions in recording.actions:
            env.step(actions)
        return STEPS * env.num_envs, time.perf_counter() - began

    return burst


def physics_burst(task: str, recording: Recording, threads: int) -> Burst:
    """The same simulations without anything around them."""
    env: Any = make(task, len(recording.states), threads)
    env.reset(seed=0)
    batch, ctrl, substeps = env.simulation.batch, env.simulation.ctrl, env.simulation.substeps
    low, high = env.simulation.model.actuator_ctrlrange.T
    targets = np.clip(env.task.quadruped.home + ACTION_SCALE * recording.actions, low, high)

    def burst() -> tuple[int, float]:
        batch.state[:] = recording.states
        began = time.perf_counter()
        for target in targets:
            ctrl[:] = target
            batch.step(nstep=substeps)
        return STEPS * env.num_envs, time.perf_counter() - began

    return burst


class PlainQuadruped(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """One copy of a task as one would write it without a batch. Final.

    Observations are ours in the order of the parts' names, in one array.
    """

    def __init__(self, task: str, state: Array, delay: int) -> None:
        """`state`: where every episode starts; `delay`: of the targets, in physics steps."""
        ours: Any = make(task, 1, 1, "none")
        self._course, self._state, self._delay, self.simulation = task == COURSE, state, delay, ours.simulation
        self.model, robot = ours.simulation.model, ours.simulation.robot.robot
        self.data = mujoco.MjData(self.model)
        self._home, self._home_height = np.array(robot.home), robot.home_height
        self._low, self._high = self.model.actuator_ctrlrange.T
        self._action, self._target, self._step = np.zeros(12), self._home, 0
        space = ours.single_observation_space.spaces.values()
        self._bounds = [np.concatenate([getattr(box, name) for box in space]) for name in ("low", "high")]
        self.observation_space = gym.spaces.Box(*self._bounds)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (12,), np.float32)
        self._limit = round(ours.task.time_limit / ours.control_dt)
        x, y = np.meshgrid(SCAN_X, SCAN_Y, indexing="ij")
        self._grid = np.stack([x.ravel(), y.ravel()], axis=1)
        self._feet = self._sensors([f"contact_{foot}" for foot in robot.feet])
        if self._course:
            self._board = self._sensors(["touch_board"])
            self._poles = self._sensors([f"touch_{pole}" for pole in POLES])
            self._boxes = [int(self.model.body_mocapid[self.model.body(name).id]) for name in BOXES]
            self._sizes = np.array([self.model.geom(name).size for name in BOXES])
            self._track = tracker.new_state(1)
            self._arrays = Course.standard().arrays()
            self._guide = Guide(self, np.zeros((1, MEMORY)))  # type: ignore[arg-type]

    def _sensors(self, names: Sequence[str]) -> list[int]:
        return [int(self.model.sensor_adr[self.model.sensor(name).id]) for name in names]

    def reset(self, **kwargs: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Back to the start."""
        super().reset(**kwargs)
        mujoco.mj_setState(self.model, self.data, self._state, mujoco.mjtState.mjSTATE_INTEGRATION)
        self._target, self._action, self._command = self._home, np.zeros(12), np.array([0.5, 0.0, 0.0])
        self._step = round(self.data.time / 0.02)
        if self._course:
            tracker.begin(self._track, slice(None))
            flat = np.zeros((len(BOXES), 9))
            for row, quat in zip(flat, self.data.mocap_quat[self._boxes], strict=True):
                mujoco.mju_quat2Mat(row, quat)
            self._turns, self._places = flat.reshape(-1, 3, 3), self.data.mocap_pos[self._boxes].copy()
            start = (float(self.data.qpos[0]), float(self.data.qpos[1]), float(self.heading()[0]))
            self._guide.lead(np.zeros(1, dtype=np.intp), [plan(Course.standard(), start, OBSTACLES)])
            self._guide.begin(np.zeros(1, dtype=np.intp))
        return self._observe(), {}

    @property
    def base_pos(self) -> Array:
        """(1, 3), for the guide."""
        return self.data.qpos[None, :3]

    def heading(self) -> Array:
        """(1,), for the guide."""
        flat = np.zeros(9)
        mujoco.mju_quat2Mat(flat, self.data.qpos[3:7])
        return np.array([math.atan2(flat[3], flat[0])])

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One control period."""
        if not self._course and self._step and self._step % round(HOLD / 0.02) == 0:
            self._command = self.np_random.uniform(-1.0, 1.0, 3) * [1.5, 0.8, 1.5]
        self._action = np.clip(action, -1.0, 1.0).astype(np.float64)
        old, self._target = self._target, np.clip(self._home + ACTION_SCALE * self._action, self._low, self._high)
        before, touched = self.data.qpos[:2].copy(), np.zeros(3, dtype=bool)
        for substep in range(5):
            self.data.ctrl[:] = old if substep < self._delay else self._target
            mujoco.mj_step(self.model, self.data)
            if self._course:
                felt = self.data.sensordata
                touched |= [felt[self._board].any(), felt[self._poles].any(), not felt[self._feet].any()]
        self._step += 1
        if self._course:
            position, now = self.data.qpos[None, :3], np.array([self.data.time])
            tracker.advance(self._track, *self._arrays, before[None], position, now, *touched[:, None])
            self._guide.advance()
        observation = self._observe()
        reward = self._course_reward() if self._course else self._velocity_reward()
        fallen = self._matrix[2, 2] < UPRIGHT or self.data.qpos[2] - self._under < LOWEST
        return observation, reward, bool(fallen), self._step >= self._limit, {}

    def _observe(self) -> NDArray[np.float32]:
        qpos, qvel = self.data.qpos, self.data.qvel
        flat = np.zeros(9)
        mujoco.mju_quat2Mat(flat, qpos[3:7])
        self._matrix = matrix = flat.reshape(3, 3)
        heading = math.atan2(matrix[1, 0], matrix[0, 0])
        self._turn = turn = np.array([[math.cos(heading), math.sin(heading)], [-math.sin(heading), math.cos(heading)]])
        senses = [qvel[3:6], matrix.T @ qvel[:3], matrix[2]]
        body = [qpos[7:], qvel[6:], self._action]
        angle = 2 * math.pi * ((self.data.time * CLOCK) % 1.0)
        clock = [math.sin(angle), math.cos(angle)]
        self._under = 0.0
        if self._course:
            gate = min(int(tracker.next_gate(self._track)[0]), 12)
            gates, board = self._arrays.gates[0], self._arrays.geometry[0, 6:11]
            seen = (gates[[gate, min(gate + 1, 12)]] - qpos[:2]) @ turn.T
            where = [turn @ (board[:2] - qpos[:2]), turn @ board[2:4], [2 * board[4]]]
            left = 1.0 - tracker.next_gate(self._track) / 13
            self._gate = gates[gate].mean(axis=0)
            command = self._guide.command()[0]
            parts = [*senses, *where, clock, command, seen.ravel(), left, *body, self._scan()]
        else:
            parts = [*senses, clock, self._command, *body]
        values = np.concatenate(parts).astype(np.float32)
        return np.clip(values, *self._bounds)

    def _scan(self) -> Array:
        base = self.data.qpos[:3]
        height = self._ground(np.vstack([self._grid @ self._turn + base[:2], base[:2]]))
        self._under = height[-1]
        return height[:-1] - (base[2] - self._home_height)

    def _ground(self, points: Array) -> Array:
        """(P,) height of the floor or of the highest box."""
        offset = np.column_stack([points, np.zeros(len(points))])[None] - self._places[:, None]
        start, slope, size = offset @ self._turns, self._turns[:, None, 2], self._sizes[:, None]
        with np.errstate(divide="ignore"):
            first, second = (-size - start) / slope, (size - start) / slope
        low, high = np.minimum(first, second).max(axis=2), np.maximum(first, second).min(axis=2)
        return np.maximum(np.where(high >= low, high, 0.0).max(axis=0), 0.0)

    def _velocity_reward(self) -> float:
        qvel, up = self.data.qvel, min(max(self._matrix[2, 2], 0.0), 1.0)
        planar, rate = self._command[:2] - self._turn @ qvel[:2], self._command[2] - self._matrix[2] @ qvel[3:6]
        steady = math.exp(-(qvel[2] ** 2 + 0.05 * (qvel[3] ** 2 + qvel[4] ** 2)))
        tracking = math.exp(-(planar @ planar) / TOLERANCE) + 0.5 * math.exp(-(rate**2) / TOLERANCE)
        return tracking / 1.5 * steady * up

    def _course_reward(self) -> float:
        up, near = min(max(self._matrix[2, 2], 0.0), 1.0), math.exp(-math.dist(self._gate, self.data.qpos[:2]))
        return (float(tracker.next_gate(self._track)[0]) + near) / 14 * up


def check_agreement(task: str) -> None:
    """Raises AssertionError where the plain environment's observations or rewards are not ours."""
    ours: Any = make(task, 1, 1, "none")
    observations, _ = ours.reset(seed=0)
    if task == VELOCITY:
        ours.task.command[:] = [0.5, 0.0, 0.0]
    plain = PlainQuadruped(task, ours.get_states()[0], delay=0)
    plain.reset()
    actions = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 1, 12)).astype(np.float32)
    for action in actions:
        observations, reward, *_ = ours.step(action)
        found, plain_reward, *_ = plain.step(action[0])
        expected = np.concatenate([values[0] for values in observations.values()])
        np.testing.assert_allclose(found, expected, atol=2e-4, rtol=1e-4)
        np.testing.assert_allclose(plain_reward, reward[0], atol=1e-5)


def gymnasium_burst(kind: str, task: str, recording: Recording) -> Burst:
    """Gymnasium's `sync` or `async` vector environment of the plain one."""
    makers = [lambda state=state: PlainQuadruped(task, state, delay=1) for state in recording.states]
    envs: Any = SyncVectorEnv(makers) if kind == "sync" else AsyncVectorEnv(makers, context="fork")

    def burst() -> tuple[int, float]:
        envs.reset()
        began = time.perf_counter()
        for actions in recording.actions:
            envs.step(actions)
        return STEPS * envs.num_envs, time.perf_counter() - began

    return burst


ENVPOOL = """
import sys, time
import envpool, numpy as np
threads, envs = int(sys.argv[1]), {}
actions = lambda size: np.random.default_rng(0).uniform(-0.3, 0.3, (50, size, 12))
print("ready", envpool.__version__, flush=True)
for line in sys.stdin:
    size = int(line)
    if size not in envs:
        env = envpool.make_gymnasium("BarkourJoystick-v1", num_envs=size, num_threads=min(threads, size), seed=0)
        env.reset()
        envs[size] = env, actions(size)
    env, draws = envs[size]
    began = time.perf_counter()
    for action in draws:
        env.step(action)
    print(len(draws) * size, time.perf_counter() - began, flush=True)
"""


class EnvPool:
    """envpool in a process of its own, with an interpreter that has it. Final."""

    def __init__(self, python: str, threads: int) -> None:
        """Raises RuntimeError where it does not start."""
        pipe = subprocess.PIPE
        self._child = subprocess.Popen([python, "-c", ENVPOOL, str(threads)], stdin=pipe, stdout=pipe, text=True)
        first = self._line()
        if not first.startswith("ready"):
            raise RuntimeError(f"{python} cannot run envpool")
        self.version = first.split()[1]

    def _line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline()

    def burst(self, size: int) -> Burst:
        """Fifty steps of its BarkourJoystick."""

        def burst() -> tuple[int, float]:
            assert self._child.stdin is not None
            print(size, file=self._child.stdin, flush=True)
            count, seconds = self._line().split()
            return int(count), float(seconds)

        return burst


def start_envpool(python: str | None, threads: int) -> EnvPool | None:
    """envpool, or None with a line that says why not."""
    if python is None and importlib.util.find_spec("envpool") is None:
        print("envpool is absent: not measured (--envpool-python names an interpreter that has it)")
        return None
    try:
        pool = EnvPool(python or sys.executable, threads)
    except (OSError, RuntimeError) as error:
        print(f"envpool is not measured: {error}")
        return None
    print(f"envpool {pool.version}")
    return pool


def ppo_burst(count: int, iterations: int) -> Burst:
    """A few iterations of PPO on the walking lesson; the first, which warms up, is not timed."""
    from barkyard.experts.locomotion.lessons import WalkLesson
    from barkyard.experts.locomotion.ppo import PPOSettings, learn

    env = make(VELOCITY, count, 0)

    def burst() -> tuple[int, float]:
        seen: list[tuple[float, float]] = []
        settings = PPOSettings(iterations + 1, count)
        learn(WalkLesson(env, 0), settings, 0, report=lambda n, _: seen.append((n["steps"], n["seconds"])))
        return int(seen[-1][0] - seen[0][0]), seen[-1][1] - seen[0][1]

    return burst


def rate(burst: Burst, seconds: float) -> float:
    """Steps per second over at least `seconds`."""
    count, spent = 0, 0.0
    while not count or spent < seconds:
        done, took = burst()
        count, spent = count + done, spent + took
    return count / spent


def contenders(task: str, options: argparse.Namespace, pool: EnvPool | None) -> dict[str, Burst]:
    """Everything that is compared on one task."""
    bursts: dict[str, Burst] = {}
    for size in options.sizes:
        recording = record(task, size, options.threads)
        if size <= options.largest_async:
            bursts[f"async N={size}"] = gymnasium_burst("async", task, recording)
        bursts[f"sync N={size}"] = gymnasium_burst("sync", task, recording)
        bursts[f"barkyard N={size}"] = environment_burst(task, recording, options.threads)
        bursts[f"physics N={size}"] = physics_burst(task, recording, options.threads)
        if pool is not None and task == VELOCITY:
            bursts[f"envpool N={size}"] = pool.burst(size)
    return bursts


def measure(bursts: dict[str, Burst], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Rates of everything, `rounds` each, in turn."""
    for burst in bursts.values():
        burst()
    rates: dict[str, list[float]] = {name: [] for name in bursts}
    for _ in range(rounds):
        for name, burst in bursts.items():
            rates[name].append(rate(burst, seconds))
    return rates


def report(task: str, rates: dict[str, list[float]]) -> None:
    """Print one task's table; ratios are medians of the rounds' own."""
    print(f"\n{task}-v0: control steps per second (50 Hz, 5 physics steps each)")
    print(f"{'':16}{'median':>10}{'min':>10}{'max':>10}{'ours / it':>12}")
    for name, values in rates.items():
        row = f"{name:16}{median(values):10.0f}{min(values):10.0f}{max(values):10.0f}"
        ours = rates.get(f"barkyard {name.split()[-1]}")
        if ours and not name.startswith("barkyard"):
            row += f"{median(a / b for a, b in zip(ours, values, strict=True)):12.2f}"
        print(row)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each measurement")
    parser.add_argument("--tasks", nargs="+", choices=(VELOCITY, COURSE), default=(VELOCITY, COURSE))
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--threads", type=int, default=0, help="of ours, of physics and of envpool; 0 is one a core")
    parser.add_argument("--largest-async", type=int, default=64, help="most processes of the async environment")
    parser.add_argument("--envpool-python", metavar="PATH", help="an interpreter that has envpool")
    parser.add_argument("--ppo-iterations", type=int, default=4, help="timed in each round; 0 leaves PPO out")
    parser.add_argument("--ppo-envs", type=int, default=512)
    options = parser.parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, {options.rounds} rounds of {options.seconds} s, {options.threads or cores} threads")
    pool = start_envpool(options.envpool_python, options.threads or cores)
    for task in options.tasks:
        check_agreement(task)
        report(task, measure(contenders(task, options, pool), options.rounds, options.seconds))
    if options.ppo_iterations:
        name = f"PPO N={options.ppo_envs}"
        training = {name: ppo_burst(options.ppo_envs, options.ppo_iterations)}
        report(VELOCITY, measure(training, options.rounds, 0.0))


if __name__ == "__main__":
    main()
