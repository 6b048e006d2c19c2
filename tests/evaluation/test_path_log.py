import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from barkyard.agility import OBSTACLES, Course, Trajectory, load_course, score_trajectory, stack, tracker
from barkyard.agility.score import scores
from barkyard.envs.registry import make_vec_env
from barkyard.episode import Observations
from barkyard.evaluation import EvaluationInterrupted, evaluate, evaluation_seeds
from tests.agility.runs import loopholes, over_board, run_over

from .fakes import FailingActor, FakeVectorEnv, StillActor

SEEDS = evaluation_seeds(4)
STANDARD = Course.standard()
OTHER = STANDARD.varied(1.0, np.random.default_rng(7))
SUBSTEPS = 5


def course_of(seed: int) -> Course:
    """Every second episode is on the standard course."""
    return STANDARD if seed % 2 == 0 else OTHER


def path_of(seed: int) -> NDArray[np.float64]:
    """`(T, 3)` a clean run; the third goes round the board."""
    course = course_of(seed)
    run = loopholes(course)["round the board"][0] if seed % 4 == 2 else run_over(course)
    return run.base_pos


class CourseEnv(FakeVectorEnv):
    """Runs along `path_of`, judged as in the environments: contacts at every physics step, the rest at every control.

    Every fourth run touches the board.
    """

    env_id = "barkyard/AgilityCourse-v0"
    control_dt = 0.02

    def __init__(self, num_envs: int, mode: str = "strict", rule: str = "script", diverges: bool = False) -> None:
        super().__init__(num_envs)
        self.env_kwargs = {"mode": mode, "rule": rule}
        self.diverges = diverges
        self.courses, self.paths = [STANDARD] * num_envs, [np.zeros((1, 3))] * num_envs
        self.over = [np.zeros(1, dtype=bool)] * num_envs
        self.state = tracker.new_state(num_envs, mode)  # type: ignore[arg-type]
        self.board, self.pole, self.airborne = np.ones((3, num_envs), dtype=bool)  # as if a run before had left them

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Observations, dict[str, Any]]:
        """Begin the episodes in the mask; contacts stay as they are."""
        observations, info = super().reset(seed=seed, options=options)
        assert options is not None
        for i in np.flatnonzero(options["reset_mask"]):
            self.courses[i], self.paths[i] = course_of(seed[i]), path_of(seed[i])
            self.over[i] = over_board(self.courses[i], self.paths[i])
            tracker.begin(self.state, [i], self.env_kwargs["mode"])
        self.arrays = stack(self.courses)
        return observations, info

    def now(self, values: list[NDArray[Any]]) -> NDArray[Any]:
        """Of each slot's values along its path the present one; a path that is over stays at its end."""
        return np.array([value[min(step, len(value) - 1)] for value, step in zip(values, self.steps, strict=True)])

    def step(self, actions: NDArray[np.float32]) -> tuple[Observations, Any, Any, Any, dict[str, Any]]:
        """One control period; over the board, all feet are in the air at one physics step and touch at another."""
        before = self.now(self.paths)
        observations, rewards, *_ = super().step(actions)
        after, over_it = self.now(self.paths), self.now(self.over)
        self.board[:], self.pole[:], self.airborne[:] = False, False, False
        for substep in range(SUBSTEPS):
            self.board |= (self.seeds % 4 == 3) & over_it & (substep == 2)
            self.airborne |= over_it & (substep == 1)
        tracker.advance(
            self.state, *self.arrays, before[:, :2], after, self.control_dt * self.steps,
            self.board, self.pole, self.airborne,
        )  # fmt: skip
        over = np.array([step >= len(path) - 1 for step, path in zip(self.steps, self.paths, strict=True)])
        over |= self.diverges & (self.steps == 50)
        success = tracker.completed(self.state).all(axis=1)
        info = {
            "success": success,
            "end": np.where(success, "success", np.where(over, "simulation_error" if self.diverges else "failure", "")),
            "metrics": {"score": scores(self.state, self.env_kwargs["rule"])},
        }
        return observations, rewards, success, over & ~success, info

    def trace(self) -> Mapping[str, NDArray[Any]] | None:
        """This moment."""
        position = self.now(self.paths)
        if self.diverges:
            position[self.steps == 50] = np.nan
        return {
            "time": self.control_dt * self.steps,
            "base_pos": position,
            "base_quat": np.tile([1.0, 0.0, 0.0, 0.0], (self.num_envs, 1)),
            "foot_contact": np.repeat(~self.airborne[:, None], 4, axis=1),
            "board_contact": self.board,
            "pole_contact": self.pole,
        }

    def run_course(self, slot: int) -> tuple[Course, tuple[str, ...]] | None:
        """The slot's course, all there."""
        return self.courses[slot], OBSTACLES


def names(seed: int, end: str, *endings: str) -> set[str]:
    return {f"episode_{seed}_{end}{ending}" for ending in endings}


@pytest.mark.parametrize(("num_envs", "mode", "rule"), [(3, "strict", "script"), (1, "published", "paper")])
def test_the_log_has_the_score_of_the_environment(num_envs: int, mode: Any, rule: Any, tmp_path: Path) -> None:
    result = evaluate(CourseEnv(num_envs, mode, rule), StillActor(), SEEDS, videos=4, video_dir=tmp_path)
    assert len({record.score for record in result.episodes}) >= 2
    for record in result.episodes:
        stem = tmp_path / f"episode_{record.seed}_{record.end}"
        beside = stem.with_suffix(".course.json")
        assert beside.exists() == (record.seed % 2 == 1)
        course = load_course(beside) if beside.exists() else None
        assert score_trajectory(Trajectory.load(stem.with_suffix(".npz")), course, rule, mode).value == record.score
        assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    if mode == "strict":
        assert [record.success for record in result.episodes] == [True, True, False, False]


def test_the_log_holds_every_moment(tmp_path: Path) -> None:
    [record] = evaluate(CourseEnv(2), StillActor(), SEEDS[3:], videos=1, video_dir=tmp_path).episodes
    run = Trajectory.load(tmp_path / f"episode_{SEEDS[3]}_failure.npz")
    path = path_of(SEEDS[3])[: record.length + 1]
    np.testing.assert_array_equal(run.base_pos, path)
    np.testing.assert_allclose(run.time, 0.02 * np.arange(record.length + 1))
    assert run.board_contact is not None and run.pole_contact is not None and run.foot_contact is not None
    over = over_board(OTHER, path)
    np.testing.assert_array_equal(run.board_contact, over)
    np.testing.assert_array_equal(run.foot_contact[1:], np.repeat(~over[1:, None], 4, axis=1))
    assert not run.pole_contact.any()


def test_files_of_an_earlier_run_that_ended_otherwise_are_replaced(tmp_path: Path) -> None:
    for name in names(SEEDS[0], "time_limit", ".mp4", ".npz", ".png", ".course.json") | {"mine.npz"}:
        (tmp_path / name).write_bytes(b"old")
    evaluate(CourseEnv(1), StillActor(), SEEDS[:2], videos=1, video_dir=tmp_path)
    assert set(os.listdir(tmp_path)) == names(SEEDS[0], "success", ".mp4", ".npz", ".png") | {"mine.npz"}


def test_logs_do_not_change_the_result(tmp_path: Path) -> None:
    plain = evaluate(CourseEnv(1, diverges=True), StillActor(), SEEDS[:2])
    logged = evaluate(CourseEnv(1, diverges=True), StillActor(), SEEDS[:2], videos=1, video_dir=tmp_path)
    assert logged.fingerprint == plain.fingerprint


def test_a_stop_keeps_the_logs_of_finished_episodes_alone(tmp_path: Path) -> None:
    with pytest.raises(EvaluationInterrupted) as stopped:
        evaluate(CourseEnv(1), FailingActor(1000, KeyboardInterrupt()), SEEDS, videos=4, video_dir=tmp_path)
    done = [record.seed for record in stopped.value.partial.episodes]
    assert done == SEEDS[:1]
    assert set(os.listdir(tmp_path)) == names(SEEDS[0], "success", ".mp4", ".npz", ".png")


def test_a_run_that_diverged_is_kept_up_to_there(tmp_path: Path) -> None:
    evaluate(CourseEnv(1, diverges=True), StillActor(), SEEDS[:1], videos=1, video_dir=tmp_path)
    run = Trajectory.load(tmp_path / f"episode_{SEEDS[0]}_simulation_error.npz")
    np.testing.assert_array_equal(run.base_pos, path_of(SEEDS[0])[:50])


class CarriedActor(StillActor):
    """Moves no joint."""

    def __init__(self, action_dim: int) -> None:
        self.action_dim = action_dim

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Zeros."""
        return np.zeros((len(next(iter(observations.values()))), self.action_dim), dtype=np.float32)


class PlainTask(CourseEnv):
    """A task without a course."""

    def trace(self) -> Mapping[str, NDArray[Any]] | None:
        """There is nothing."""
        return None


def test_other_tasks_leave_a_video_alone(tmp_path: Path) -> None:
    evaluate(PlainTask(1), StillActor(), SEEDS[:1], videos=1, video_dir=tmp_path)
    assert set(os.listdir(tmp_path)) == names(SEEDS[0], "success", ".mp4")


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        evaluate(CourseEnv(1), StillActor(), SEEDS[:1], videos=1, video_dir=tmp_path)
    assert set(os.listdir(tmp_path)) == names(SEEDS[0], "success", ".mp4")


def test_the_log_has_the_score_of_a_simulated_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The robot is carried along clean paths, so that it crosses every gate, brushing what is in its way."""
    env = make_vec_env(
        "barkyard/AgilityCourse-v0", 2, autoreset_mode=AutoresetMode.DISABLED, num_threads=1, difficulty=1.0
    )
    before_step, simulation = env.task.before_step, env.simulation

    def carry() -> None:
        before_step()
        for i, step in enumerate(simulation.elapsed_steps()):
            path = paths[i][min(step, len(paths[i]) - 1)]
            simulation.qpos[i, :7] = [path[0], path[1], path[2] + 0.12, 1.0, 0.0, 0.0, 0.0]
        simulation.qvel[:] = 0.0

    monkeypatch.setattr(env.task, "before_step", carry)
    monkeypatch.setattr(env, "render_frames", lambda camera, slots: np.zeros((len(slots), 16, 16, 3), dtype=np.uint8))
    env.reset(seed=SEEDS[:2])
    courses = [course for i in range(2) if (found := env.run_course(i)) for course in found[:1]]
    paths = [run_over(course).base_pos for course in courses]
    result = evaluate(env, CarriedActor(12), SEEDS[:2], videos=2, video_dir=tmp_path)
    env.close()
    for record, course in zip(result.episodes, courses, strict=True):
        stem = tmp_path / f"episode_{record.seed}_{record.end}"
        assert load_course(stem.with_suffix(".course.json")) == course
        score = score_trajectory(Trajectory.load(stem.with_suffix(".npz")), course)
        assert score.value == record.score
        assert None not in score.gate_times and score.stayed
