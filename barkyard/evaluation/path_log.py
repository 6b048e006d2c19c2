"""Logs of filmed runs over the agility course: what `barkyard score` reads, and a top view of the path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from barkyard.evaluation.atomic import write_atomically
from barkyard.evaluation.result import EpisodeRecord
from barkyard.evaluation.video import episode_file

if TYPE_CHECKING:  # agility brings a compiler and the plot brings matplotlib, which most evaluations do without
    from barkyard.agility import Course, Trajectory

LOG, COURSE, PLOT = ".npz", ".course.json", ".png"
"""How the names of an episode's files end."""


@runtime_checkable
class TracedEnv(Protocol):
    """An environment whose runs may be over an agility course."""

    env_id: str
    env_kwargs: dict[str, Any]

    def trace(self) -> Mapping[str, NDArray[Any]] | None:
        """`(N, ...)` arrays of this moment by their names in `agility.Trajectory`, or None where there is no course.

        Contacts are those since the moment before.
        """

    def run_course(self, slot: int) -> "tuple[Course, tuple[str, ...]] | None":
        """The course in a slot and the names of the obstacles of it that are there, or None where there is none."""


@dataclass(frozen=True)
class _Run:
    """A run in the making: samples by the names of the trace."""

    course: "Course"
    present: tuple[str, ...]
    samples: list[dict[str, Any]] = field(default_factory=list)


class PathRecorder:
    """Keeps the paths of the first episodes of an evaluation; `watch` is the hook for `barkyard.rollout.rollout`.

    An episode on a course leaves `episode_<seed>_<how it ended>` with `.npz`, its log; `.png`, its path from above; and
    `.course.json`, the course, where it is not the standard one. Other tasks leave nothing.
    """

    def __init__(self, env: TracedEnv, folder: Path, episodes: int, actor: str) -> None:
        self._env, self._folder, self._episodes, self._actor = env, folder, episodes, actor
        self._runs: dict[int, _Run] = {}

    def watch(self, env: Any, slots: NDArray[np.intp], numbers: NDArray[np.int64]) -> None:
        """Add a sample to every log whose episode is among `numbers` `(k,)`, running in `slots` `(k,)`."""
        kept = numbers < self._episodes
        trace = self._env.trace() if kept.any() else None
        if trace is None:
            return
        for number, slot in zip(numbers[kept].tolist(), slots[kept].tolist(), strict=True):
            if number not in self._runs:
                found = self._env.run_course(slot)
                if found is None:
                    continue
                self._runs[number] = _Run(*found)
            self._runs[number].samples.append({name: values[slot].copy() for name, values in trace.items()})

    def finish(self, number: int, record: EpisodeRecord) -> None:
        """Write the files of episode `number`, if it has a path.

        Raises:
            OSError: the disk is full or the folder cannot be written.
            ResultError: likewise.
        """
        run = self._runs.pop(number, None)
        if run is None:
            return
        from barkyard.agility import Course, save_course, score_trajectory
        from barkyard.evaluation.path_plot import path_png

        log, course, plot = (episode_file(self._folder, record, ending) for ending in (LOG, COURSE, PLOT))
        trajectory = _trajectory(run.samples)
        trajectory.save(log)
        if run.course != Course.standard():
            save_course(run.course, course)
        kwargs = self._env.env_kwargs
        score = score_trajectory(trajectory, run.course, kwargs.get("rule", "script"), kwargs.get("mode", "strict"))
        task, end = self._env.env_id.removeprefix("barkyard/"), record.end.replace("_", " ")
        title = f"{task}, {self._actor}, seed {record.seed}: {'success' if record.success else end}"
        write_atomically(plot, path_png(trajectory, run.course, score, title, run.present))

    def discard_unfinished(self) -> None:
        """Forget the runs that are still under way."""
        self._runs.clear()


def _trajectory(samples: list[dict[str, Any]]) -> "Trajectory":
    """The run up to where the simulation diverged, if it did."""
    from barkyard.agility import Trajectory

    arrays = {name: np.array([sample[name] for sample in samples]) for name in samples[0]}
    for name in ("board_contact", "pole_contact"):
        if name in arrays:
            arrays[name][0] = False  # there is no moment before the first; the slot's last run may have left a touch
    sound = np.diff(arrays["time"], prepend=-np.inf) >= 0.0
    for array in arrays.values():
        sound &= np.isfinite(array.reshape(len(samples), -1)).all(axis=1)
    length = len(samples) if sound.all() else int(sound.argmin())
    return Trajectory(**{name: array[:length] for name, array in arrays.items()})
