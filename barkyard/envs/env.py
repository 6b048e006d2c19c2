"""The environments: a robot, a controller and a task on one engine, as the Gymnasium contract wants them."""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robots import load_robot, robot_fingerprint
from barkyard.assets.surrogate import draw_surrogate
from barkyard.control import make_controller
from barkyard.envs.hardware import Hardware, check_posterior, late_readings, memory_size
from barkyard.envs.rendering import Cameras, Image, camera_id
from barkyard.envs.simulation import Ids, Simulation
from barkyard.envs.task import Options, Task
from barkyard.envs.visual import Variant, as_variant
from barkyard.envs.visual.painting import paint
from barkyard.episode import CALIBRATION_SAMPLE, ENDS, Observations
from barkyard.errors import InvalidInput
from barkyard.provenance import fingerprint

if TYPE_CHECKING:
    from barkyard.agility.layout import Course

REWARDS = ("dense", "sparse")
_END_NAMES = np.array(["", *ENDS])
_GOES_ON, _SUCCESS, _FAILURE, _TIME_LIMIT, _ERROR = range(5)
_FINGERPRINTED = ("body_mass", "body_inertia", "geom_size", "dof_damping", "dof_armature", "dof_frictionloss")


class RobotVectorEnv(VectorEnv[Observations, NDArray[np.float32], NDArray[Any]]):
    """N copies of a task, stepped together by `mujoco.batch`. Final.

    Every copy is a function of its own seed and actions alone: the same bits at any N and any number of threads.

    Attributes:
        env_id: registered id.
        env_kwargs: what rebuilds it with `gym.make_vec`; JSON only.
        control_dt: control period [s].
        source: `surrogate` where hidden dynamics stand in for a real robot, else `sim`.
        task: what is done, bound to `simulation`.
        simulation: the simulations.
        fingerprint: hash of id, arguments and the model's physical parameters.
    """

    def __init__(
        self,
        env_id: str,
        task: Task,
        num_envs: int = 1,
        *,
        robot: str | None = None,
        controller: str | None = None,
        reward: str = "dense",
        terminate_on_success: bool = True,
        cameras: Sequence[str] = (),
        camera_size: tuple[int, int] = (84, 84),
        calibration: Calibration | Mapping[str, Any] | str | None = None,
        surrogate: int | None = None,
        visual: Variant | Mapping[str, Any] | str | None = None,
        render_mode: str | None = None,
        render_camera: str | None = None,
        render_size: tuple[int, int] = (256, 256),
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        num_threads: int = 0,
    ) -> None:
        """Build the scene and the batch.

        Args:
            env_id: registered id.
            task: what to do.
            num_envs: N.
            robot: a name from `assets.robots.ROBOTS`; None is the task's own.
            controller: a name from `control.CONTROLLERS`; None is the task's own.
            reward: `dense` (shaped, in [0, 1]) or `sparse` (1 on success, else 0).
            terminate_on_success: end the episode at success; else it runs to the time limit.
            cameras: cameras whose pictures are observed as `image_<camera>`.
            camera_size: height and width of those pictures.
            calibration: identified parameters of the robot: a `Calibration`, its JSON, or a path to it.
            surrogate: seed of hidden dynamics that stand in for a real robot; see `assets.surrogate`.
            visual: how the scene looks: a `Variant`, its JSON, or a name in `visual.VARIANTS`; None is as it is.
            render_mode: None or `rgb_array`.
            render_camera: camera for `render`; None is the task's own.
            render_size: height and width for `render`.
            autoreset_mode: Gymnasium's.
            num_threads: threads that step the simulations; 0 is one a core.

        Raises:
            InvalidInput: an argument is not one of the valid values.
        """
        _check_choice("reward", reward, REWARDS)
        _check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        if num_envs < 1:
            raise InvalidInput(f"num_envs is {num_envs}; it must be at least 1")
        self.env_id, self.num_envs, self.render_mode = env_id, num_envs, render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            **self.metadata,
            "autoreset_mode": self.autoreset_mode,
            "render_fps": round(1 / task.control_dt),
        }
        self.task, self._reward, self._terminate = task, reward, terminate_on_success
        arm, controller = load_robot(robot or task.robot), controller or task.controller
        known = load_calibration(calibration, arm.name)
        hidden = None if surrogate is None else draw_surrogate(arm.name, surrogate)
        if hidden and (known or task.options.posterior):
            raise InvalidInput("a surrogate stands for the real robot, which no calibration changes; give one of both")
        if task.options.posterior:
            check_posterior(known)
        self.source = "surrogate" if hidden else "sim"
        more = memory_size(arm, task.options.posterior, hidden)
        self._visual = as_variant(visual)
        applied = hidden.truth if hidden else known
        model = compile_scene(type(task), task.options, arm.name, controller, applied, self._visual, more)
        for camera in (*cameras, *([render_camera] if render_camera else ())):
            camera_id(model, camera)
        control = make_controller(controller, arm)
        refresh, watched = task.refresh or late_readings(known), task.watched(arm)
        self.simulation = Simulation(model, arm, control, num_envs, task.control_dt, num_threads, refresh, watched)
        task.bind(self.simulation)
        self._hardware = Hardware(self.simulation, known, task.options.posterior, hidden)
        self.control_dt = self.simulation.control_dt
        self._max_steps = round(task.time_limit / self.control_dt)
        self._cameras, self._camera_size = tuple(cameras), (int(camera_size[0]), int(camera_size[1]))
        self._render_camera = render_camera or task.camera
        self._render_size = (int(render_size[0]), int(render_size[1]))
        self._renderers: dict[tuple[int, int], Cameras] = {}
        self.env_kwargs: dict[str, Any] = {
            "robot": arm.name,
            "controller": controller,
            "reward": reward,
            "terminate_on_success": terminate_on_success,
            "cameras": list(self._cameras),
            "camera_size": list(self._camera_size),
            "calibration": known.as_json() if known else None,
            "surrogate": surrogate,
            "visual": self._visual.as_json() if self._visual else None,
            **task.options.as_json(),
        }
        self.fingerprint = fingerprint(
            env_id, self.env_kwargs, *(np.asarray(getattr(model, name)) for name in _FINGERPRINTED)
        )
        self._make_spaces()
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._ended = np.ones(num_envs, dtype=bool)

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}

    def _make_spaces(self) -> None:
        parts = self.task.parts()
        lows = [np.broadcast_to(np.asarray(part.low, dtype=np.float32), part.size) for part in parts.values()]
        highs = [np.broadcast_to(np.asarray(part.high, dtype=np.float32), part.size) for part in parts.values()]
        self._low, self._high = np.concatenate(lows), np.concatenate(highs)
        ends = np.cumsum([part.size for part in parts.values()])
        self._slices = {n: slice(int(e) - p.size, int(e)) for (n, p), e in zip(parts.items(), ends, strict=True)}
        boxes: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(self._low[where], self._high[where], dtype=np.float32)
            for name, where in self._slices.items()
        }
        for camera in self._cameras:
            boxes[f"image_{camera}"] = spaces.Box(0, 255, (*self._camera_size, 3), np.uint8)
        self.single_observation_space = spaces.Dict(dict(sorted(boxes.items())))
        self._order = sorted(self._slices)
        self.single_action_space = spaces.Box(-1.0, 1.0, (self.simulation.controller.action_dim,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | NDArray[np.integer[Any]] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: one integer (copy i gets seed + i), one per copy, or None to go on with the present generators.
            options: `reset_mask`, a boolean (N,) of the copies to reset; all without it.

        Returns:
            Observations of all copies and the info of `step`.
        """
        mask = np.ones(self.num_envs, dtype=bool)
        if options and options.get("reset_mask") is not None:
            mask = np.asarray(options["reset_mask"])
            if mask.shape != (self.num_envs,) or mask.dtype != bool:
                raise InvalidInput(f"reset_mask must be bool ({self.num_envs},), got {mask.dtype} {mask.shape}")
        self._seed(seed, mask)
        errors = self._begin(np.flatnonzero(mask))
        if errors:
            i, message = next(iter(errors.items()))
            raise RuntimeError(f"{self.env_id}: the initial state of copy {i} cannot be simulated: {message}")
        return self._observe(), self._first_info()

    def _seed(self, seed: Any, mask: NDArray[np.bool_]) -> None:
        if seed is None or isinstance(seed, (int, np.integer)):
            seeds = [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        else:
            seeds = [None if s is None else int(s) for s in seed]
            if len(seeds) != self.num_envs:
                raise InvalidInput(f"got {len(seeds)} seeds for {self.num_envs} environments; give one each")
        for i in np.flatnonzero(mask):
            if seeds[i] is not None and seeds[i] < 0:
                raise InvalidInput(f"seed {seeds[i]} is negative; seeds are integers >= 0")
            if seeds[i] is not None or self._generators[i] is None:
                self._generators[i] = np.random.default_rng(np.random.SeedSequence(seeds[i]))

    def _begin(self, ids: Ids) -> dict[int, str]:
        if not ids.size:
            return {}
        generators = [generator for i in ids if (generator := self._generators[i]) is not None]
        self.simulation.begin_reset(ids)
        self.task.initialise(ids, generators)
        self._hardware.begin(ids, generators)
        self._ended[ids] = False
        errors = self.simulation.end_reset(ids)
        self._hardware.settle(ids)
        return errors

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance every copy by one control period.

        Args:
            actions: `(N, A)`; clipped to [-1, 1].

        Returns:
            Observations, rewards, terminated, truncated and info: `success` and `is_success` (N,) bool, `end` (N,)
            (why the episode ended, or empty), `metrics` (name to (N,); with a posterior also which of its samples the
            robot is), and `simulation_error` (N,) with the message where the simulation diverged, which truncates that
            copy alone.

        Raises:
            InvalidInput: wrong shape, or NaN.
        """
        actions = self._check_actions(actions)
        restart = (
            np.flatnonzero(self._ended) if self.autoreset_mode == AutoresetMode.NEXT_STEP else np.zeros(0, np.intp)
        )
        self.task.before_step()
        self._hardware.before_step()
        errors = self.simulation.step(actions, self._hardware.each_substep)
        self.task.after_step()
        if restart.size:
            for i in restart:
                errors.pop(int(i), None)
            errors |= self._begin(restart)
        terms = self.task.terms()
        success, failure = self.task.success(terms), self.task.failure(terms)
        rewards = self.task.dense_reward(terms) if self._reward == "dense" else success.astype(np.float64)
        end = np.zeros(self.num_envs, dtype=np.intp)
        end[self.simulation.elapsed_steps() >= self._max_steps] = _TIME_LIMIT
        end[failure] = _FAILURE
        if self._terminate:
            end[success] = _SUCCESS
        end[list(errors)] = _ERROR
        rewards[list(errors)] = 0.0
        if restart.size:
            end[restart], rewards[restart] = _GOES_ON, 0.0
        terminated, truncated = (end == _SUCCESS) | (end == _FAILURE), (end == _TIME_LIMIT) | (end == _ERROR)
        self._ended = terminated | truncated
        observations = self._observe()
        info = self._info(terms, success, _END_NAMES[end], errors)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._ended.any():
            observations, info = self._reset_at_once(observations, info)
        return observations, rewards, terminated, truncated, info

    def _reset_at_once(self, observations: Observations, info: dict[str, Any]) -> tuple[Observations, dict[str, Any]]:
        done = self._ended.copy()
        self._begin(np.flatnonzero(done))
        fresh = self._first_info()
        fresh |= {"final_obs": observations, "_final_obs": done, "final_info": info, "_final_info": done}
        return self._observe(), fresh

    def _check_actions(self, actions: Any) -> NDArray[np.float32]:
        actions = np.asarray(actions, dtype=np.float32)
        shape = self.action_space.shape
        if actions.shape != shape:
            raise InvalidInput(f"{self.env_id}: actions have shape {actions.shape}; it must be {shape}")
        if not np.isfinite(actions).all():
            i, j = np.argwhere(~np.isfinite(actions))[0]
            raise InvalidInput(f"{self.env_id}: action {j} of copy {i} is {actions[i, j]}; actions must be finite")
        return np.clip(actions, -1.0, 1.0)

    def _observe(self) -> Observations:
        parts = self._hardware.measure(self.task.observe())
        flat = np.concatenate([parts[name] for name in self._slices], axis=1, dtype=np.float32, casting="same_kind")
        np.clip(flat, self._low, self._high, out=flat)
        observations: Observations = {name: flat[:, self._slices[name]] for name in self._order}
        if self._cameras:
            renderer, everyone = self._renderer(self._camera_size), np.arange(self.num_envs)
            observations |= {f"image_{camera}": renderer.render(camera, everyone) for camera in self._cameras}
            observations = dict(sorted(observations.items()))
        return observations

    def _first_info(self) -> dict[str, Any]:
        terms = self.task.terms()
        return self._info(terms, self.task.success(terms), np.repeat(_END_NAMES[:1], self.num_envs), {})

    def _info(
        self, terms: Mapping[str, Any], success: NDArray[np.bool_], end: NDArray[np.str_], errors: dict[int, str]
    ) -> dict[str, Any]:
        info: dict[str, Any] = {
            "success": success,
            "is_success": success.copy(),
            "end": end,
            "metrics": {**self.task.metrics(terms), **self._drawn()},
        }
        if errors:
            info["simulation_error"] = np.array([errors.get(i, "") for i in range(self.num_envs)])
        return info

    def _drawn(self) -> dict[str, NDArray[np.float64]]:
        sample = self._hardware.sample
        return {} if sample is None else {CALIBRATION_SAMPLE: sample.copy()}

    def get_states(self) -> NDArray[np.float64]:
        """`(N, S)` complete states (`mjSTATE_INTEGRATION`): physics, controller and what the task varies."""
        return self.simulation.batch.state.copy()

    def set_states(self, states: NDArray[np.float64], mask: NDArray[np.bool_] | None = None) -> Observations:
        """Put copies into stored states.

        Args:
            states: `(N, S)` from `get_states` of the same environment.
            mask: boolean (N,) of the copies to change; all without it.

        Returns:
            Observations of all copies, bit for bit those of the moment the states were taken.
        """
        batch = self.simulation.batch
        if states.shape != batch.state.shape:
            raise InvalidInput(f"{self.env_id}: states have shape {states.shape}; it must be {batch.state.shape}")
        ids = np.arange(self.num_envs) if mask is None else np.flatnonzero(mask)
        if not ids.size:
            return self._observe()
        batch.state[ids] = states[ids]
        self.task.restore(ids)
        self._hardware.restore(ids)
        self.simulation.forward(ids)
        batch.state[ids] = states[ids]
        self._ended[ids] = False
        return self._observe()

    def render_frames(self, camera: str | None, slots: NDArray[np.intp]) -> Image:
        """Pictures (k, H, W, 3) of the copies in `slots`; None is the camera of `render`."""
        return self._renderer(self._render_size).render(camera or self._render_camera, slots)

    def succeeded(self) -> NDArray[np.bool_]:
        """`(N,)` whether the task is achieved at this moment."""
        return self.task.success(self.task.terms())

    def trace(self) -> Mapping[str, NDArray[Any]] | None:
        """`(N, ...)` arrays of this moment for logs of the runs, or None; see `Task.trace`."""
        return self.task.trace()

    def run_course(self, slot: int) -> "tuple[Course, tuple[str, ...]] | None":
        """The agility course of the copy in `slot` and the obstacles of it that are there; None in other tasks."""
        return self.task.run_course(slot)

    def render(self) -> tuple[Image, ...] | None:
        """One picture a copy, with `render_mode="rgb_array"`."""
        if self.render_mode is None:
            gym.logger.warn(f'{self.env_id} was made without a render mode; make it with render_mode="rgb_array"')
            return None
        return tuple(self.render_frames(None, np.arange(self.num_envs)))

    def _renderer(self, size: tuple[int, int]) -> Cameras:
        if size not in self._renderers:
            photographs = dict(self._visual.photographs) if self._visual else {}
            self._renderers[size] = Cameras(self.simulation.batch, *size, photographs)
        return self._renderers[size]

    def close_extras(self, **kwargs: Any) -> None:
        """Free the renderers."""
        del kwargs
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()


class RobotEnv(gym.Env[Observations, NDArray[np.float32]]):
    """One copy of a task: a `RobotVectorEnv` of one. Final."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, env_id: str, task: Task, **kwargs: Any) -> None:
        """Takes the keyword arguments of `RobotVectorEnv`, without `num_envs` and `autoreset_mode`."""
        self.batch = RobotVectorEnv(env_id, task, 1, autoreset_mode=AutoresetMode.DISABLED, **kwargs)
        self.observation_space = self.batch.single_observation_space
        self.action_space = self.batch.single_action_space
        self.render_mode = self.batch.render_mode
        self.metadata = {**self.metadata, "render_fps": self.batch.metadata["render_fps"]}
        self.env_id, self.env_kwargs, self.control_dt = self.batch.env_id, self.batch.env_kwargs, self.batch.control_dt
        self.source = self.batch.source

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode; the same seed gives the same episode as in a batch."""
        super().reset(seed=seed)
        observations, info = self.batch.reset(seed=seed)
        return _first(observations), _first_info(info)

    def step(self, action: NDArray[np.float32]) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Advance one control period. Raises InvalidInput for a wrong shape or NaN."""
        action = np.asarray(action, dtype=np.float32)
        if action.shape != self.action_space.shape:
            raise InvalidInput(
                f"{self.env_id}: the action has shape {action.shape}; it must be {self.action_space.shape}"
            )
        observations, rewards, terminated, truncated, info = self.batch.step(action[None])
        return _first(observations), float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _first_info(info)

    def get_state(self) -> NDArray[np.float64]:
        """`(S,)` complete state."""
        return self.batch.get_states()[0]

    def set_state(self, state: NDArray[np.float64]) -> Observations:
        """Put the environment into a stored state; returns its observation."""
        return _first(self.batch.set_states(state[None]))

    def render(self) -> Image | None:
        """A picture (H, W, 3), with `render_mode="rgb_array"`."""
        frames = self.batch.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Free the renderers."""
        self.batch.close()


@functools.lru_cache(maxsize=16)
def compile_scene(
    task: type[Task],
    options: Options,
    robot: str,
    controller: str,
    calibration: Calibration | None,
    visual: Variant | None = None,
    memory: int = 0,
) -> mujoco.MjModel:
    """The compiled scene of a task, painted, with robot, what its controller needs, and room for memory, `memory` more.

    Compiling the meshes takes seconds, so models are kept; treat them as constants.
    """
    arm, todo = load_robot(robot), task(options)
    control = make_controller(controller, arm)
    scene = todo.make_scene(arm, calibration)
    control.prepare(scene)
    if visual is not None:
        paint(scene, visual, todo.clear_areas)
    scene.nuserdata = control.memory_size + todo.memory_size + memory
    return scene.compile()


def load_calibration(calibration: Calibration | Mapping[str, Any] | str | None, robot: str) -> Calibration | None:
    """A calibration from itself, its JSON or a path. Raises InvalidInput if it is of another model than the robot's."""
    if calibration is None:
        return None
    if not isinstance(calibration, Calibration):
        known = calibration
        calibration = Calibration.load(known) if isinstance(known, str) else Calibration.from_json(known)
    own = robot_fingerprint(robot)
    if calibration.model != own:
        raise InvalidInput(
            f"the calibration is of robot {calibration.robot!r}, model {calibration.model}; "
            f"the environment's robot is {robot!r}, model {own}: calibrate this one"
        )
    return calibration


def _check_choice(name: str, value: Any, valid: Sequence[Any]) -> None:
    if value not in valid:
        raise InvalidInput(f"{name} is {value!r}; valid: {', '.join(map(repr, valid))}")


def _first(observations: Observations) -> Observations:
    return {name: values[0] for name, values in observations.items()}


def _first_info(info: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"metrics": {name: float(values[0]) for name, values in info["metrics"].items()}}
    for name in ("success", "is_success"):
        out[name] = bool(info[name][0])
    for name in ("end", "simulation_error"):
        if name in info:
            out[name] = str(info[name][0])
    return out
