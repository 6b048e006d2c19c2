"""Run an actor on a task and count."""

import json
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import EVALUATION_SEED_START, Actor, Episode, check_evaluation_seeds
from barkyard.errors import BarkyardError, InvalidInput
from barkyard.evaluation.path_log import PathRecorder, TracedEnv
from barkyard.evaluation.result import EpisodeRecord, EvalResult
from barkyard.evaluation.video import VideoRecorder
from barkyard.provenance import versions
from barkyard.rollout import EpisodicEnv, rollout


class EvaluationEnv(EpisodicEnv, Protocol):
    """What an evaluation needs of a vector environment beyond what the loop needs.

    One that is a `TracedEnv` too can have the paths of its runs kept.
    """

    @property
    def fingerprint(self) -> str:
        """Content hash of the environment."""

    def render_frames(self, camera: str | None, slots: NDArray[np.intp]) -> NDArray[np.uint8]:
        """`(k, H, W, 3)` views of the environments in `slots` `(k,)`; only called for video."""


class Recorder(Protocol):
    """Keeps something of the first episodes while they run."""

    def watch(self, env: Any, slots: NDArray[np.intp], numbers: NDArray[np.int64]) -> None:
        """See `barkyard.rollout.rollout`."""

    def finish(self, number: int, record: EpisodeRecord) -> None:
        """Write what was kept of episode `number`, which went as `record` says."""

    def discard_unfinished(self) -> None:
        """Let go of the episodes that are still running."""


class EvaluationInterrupted(BarkyardError):
    """An evaluation stopped before its last episode.

    An error and not a shorter result, so that nobody takes what is left for the measurement that was asked for.

    Attributes:
        partial: the episodes before the first unfinished one, marked as partial (`EvalResult.complete` is false).
    """

    def __init__(self, message: str, partial: EvalResult) -> None:
        super().__init__(message)
        self.partial = partial


def evaluation_seeds(episodes: int, start: int = 0) -> list[int]:
    """Seeds of `episodes` evaluation episodes, from the `start`-th of the range that collection refuses.

    Raises:
        InvalidInput: there are no such seeds.
    """
    if episodes < 1:
        raise InvalidInput(f"episodes is {episodes}; give at least 1")
    if start < 0:
        raise InvalidInput(f"start is {start}; give 0 or more")
    first = EVALUATION_SEED_START + start
    check_evaluation_seeds(np.array([first, first + episodes - 1], dtype=np.int64))
    return list(range(first, first + episodes))


def evaluate(
    env: EvaluationEnv,
    actor: Actor,
    seeds: Sequence[int],
    *,
    on_episode: Callable[[EpisodeRecord], None] | None = None,
    videos: int = 0,
    video_dir: Path | str | None = None,
    camera: str | None = None,
    fingerprints: Mapping[str, str] | None = None,
    command: str = "",
) -> EvalResult:
    """Run one episode for each seed and record how each went.

    The records do not depend on `env.num_envs`; compare two results by their `fingerprint`.

    Args:
        env: a vector environment with autoreset disabled.
        actor: who acts.
        seeds: one seed an episode, each once, from the evaluation range; see `evaluation_seeds`.
        on_episode: called with each record, in the order of `seeds`; for progress.
        videos: film this many episodes, the first of `seeds`.
        video_dir: folder for `episode_<seed>_<success, or why it ended>.mp4`; beside it, of runs over the agility
            course, what `PathRecorder` writes.
        camera: the camera that films, or None for the environment's own choice.
        fingerprints: of what the actor was made from, such as `checkpoint` and `dataset`; `env` is added.
        command: the command that asked for this, for the record.

    Raises:
        InvalidInput: seeds are none, repeated or outside the evaluation range, or the video words do not fit.
        RenderingError: video was asked for and cannot be made here.
        EvaluationInterrupted: stopped (Ctrl-C, full disk, an error in the actor) after the first finished episode;
            it carries the finished episodes. When no episode was finished, the cause itself is raised.
    """
    seeds = _checked_seeds(seeds)
    if env.source not in ("sim", "surrogate"):
        raise InvalidInput(f"source is {env.source!r}; an evaluation that steps an environment is sim or surrogate")
    env_kwargs = json.loads(json.dumps(env.env_kwargs))
    recorders = _recorders(env, videos, video_dir, camera, actor.name)
    records: list[EpisodeRecord] = []
    begin = time.perf_counter()

    def result() -> EvalResult:
        return EvalResult(
            env_id=env.env_id,
            env_kwargs=env_kwargs,
            actor=actor.name,
            episodes=tuple(records),
            episodes_asked=len(seeds),
            seconds=time.perf_counter() - begin,
            fingerprints={"env": env.fingerprint, **(fingerprints or {})},
            versions=versions(),
            source=env.source,
            num_envs=env.num_envs,
            command=command,
        )

    try:
        with closing(_records(env, actor, seeds, recorders)) as finished:
            for record in finished:
                records.append(record)
                if on_episode is not None:
                    on_episode(record)
    except (KeyboardInterrupt, Exception) as error:
        if not records:
            raise
        why = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        raise EvaluationInterrupted(
            f"evaluation of {actor.name} on {env.env_id} stopped after {len(records)} of {len(seeds)} episodes: {why}",
            result(),
        ) from error
    return result()


def _records(
    env: EvaluationEnv, actor: Actor, seeds: list[int], recorders: Sequence[Recorder]
) -> Generator[EpisodeRecord, None, None]:
    def watch(env: EpisodicEnv, slots: NDArray[np.intp], numbers: NDArray[np.int64]) -> None:
        for recorder in recorders:
            recorder.watch(env, slots, numbers)

    seen = watch if recorders else None
    episodes = rollout(env, actor, seeds, record_states=False, record_observations=False, watch=seen)
    try:
        with closing(cast("Any", episodes)):
            for number, episode in enumerate(episodes):
                record = _record(episode)
                for recorder in recorders:
                    recorder.finish(number, record)
                yield record
    finally:
        for recorder in recorders:
            recorder.discard_unfinished()


def _record(episode: Episode) -> EpisodeRecord:
    return EpisodeRecord(
        seed=episode.seed,
        success=episode.success,
        total_reward=episode.total_reward,
        length=episode.length,
        end=episode.end,
        score=episode.metrics.get("score"),
        metrics={name: v for name, v in episode.metrics.items() if name != "score" and math.isfinite(v)},
    )


def _checked_seeds(seeds: Sequence[int]) -> list[int]:
    array = np.asarray(seeds)
    if array.ndim != 1 or array.size == 0:
        raise InvalidInput(f"seeds has shape {array.shape}; give a list of at least one seed")
    if array.dtype.kind not in "iu":
        raise InvalidInput(f"seeds are {array.dtype}; give whole numbers, such as evaluation_seeds(100)")
    check_evaluation_seeds(array)
    values, counts = np.unique(array, return_counts=True)
    if counts.max() > 1:
        raise InvalidInput(f"seed {values[counts.argmax()]} is given {counts.max()} times; give each seed once")
    return [int(seed) for seed in array]


def _recorders(
    env: EvaluationEnv, videos: int, video_dir: Path | str | None, camera: str | None, actor: str
) -> list[Recorder]:
    if videos < 0:
        raise InvalidInput(f"videos is {videos}; give the number of episodes to film, 0 or more")
    if videos == 0:
        return []
    if video_dir is None:
        raise InvalidInput(f"videos is {videos}, but video_dir is not given; name the folder for them")
    folder = Path(video_dir)
    recorders: list[Recorder] = [VideoRecorder(env.render_frames, folder, videos, 1.0 / env.control_dt, camera)]
    return [*recorders, PathRecorder(env, folder, videos, actor)] if isinstance(env, TracedEnv) else recorders
