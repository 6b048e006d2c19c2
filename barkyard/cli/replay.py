"""`barkyard replay`: rebuild stored episodes in the simulator and compare."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from tyro.conf import Positional, arg

from barkyard.cli.opening import open_environment
from barkyard.cli.terminal import Json, Progress, Quiet, print_json, print_text
from barkyard.episode import Episode, Observations
from barkyard.errors import DatasetError, InvalidInput

if TYPE_CHECKING:
    from barkyard.datasets import Dataset
    from barkyard.envs.env import RobotVectorEnv
    from barkyard.evaluation.video import Mp4Writer

BATCH: Final = 16


@dataclass(frozen=True)
class Verdict:
    """How one episode compares.

    Attributes:
        episode: its number in the dataset.
        seed: the seed it was recorded with.
        states_differ_at: `part[step]` of the first observation that the stored state does not give again, or empty.
        actions_differ_at: the same for carrying out the stored actions from the start; None where not tried.
    """

    episode: int
    seed: int
    states_differ_at: str
    actions_differ_at: str | None

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.states_differ_at and not self.actions_differ_at


def replay(
    dataset: Annotated[Positional[Path], arg(metavar="DATASET|RESULT.json")],
    /,
    *,
    verify: bool = False,
    seeds: tuple[int, ...] = (),
    actor: Annotated[str | None, arg(metavar="expert|random|CHECKPOINT")] = None,
    videos: int | None = None,
    video_dir: Path | None = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Set every stored simulator state and compare the observations with the stored ones; exit code 1 if a bit differs.

    Of a result, episodes are run again from their seeds, filmed, and compared with what the result says.

    Args:
        dataset: the dataset's folder, or a result of barkyard evaluate or search.
        verify: also carry out the stored actions from the start, and compare.
        seeds: of a result: which episodes; by default the first that failed.
        actor: of a result: who acts; by default who its command says.
        videos: film this many episodes; of a result all are filmed, or none with 0.
        video_dir: where videos go; by default videos/replay beside the dataset.
        as_json: print the verdicts as JSON.
        quiet: show no progress.
    """
    if dataset.is_file():
        from barkyard.cli.replay_result import replay_result

        if verify:
            raise InvalidInput(f"--verify carries out stored actions, and {dataset} is a result, which has none")
        return replay_result(dataset, seeds, actor, video_dir, videos != 0, as_json)
    if seeds or actor:
        raise InvalidInput(f"--seeds and --actor are for a result; {dataset} is none")
    from barkyard.datasets import Dataset

    opened = Dataset.open(dataset)
    if not opened.num_episodes:
        raise DatasetError(f"{dataset} holds no episodes yet; barkyard collect adds some")
    film = _Film(videos or 0, video_dir or dataset.parent / "videos" / "replay", opened.fps)
    verdicts: list[Verdict] = []
    with (
        open_environment(opened.env_id, min(BATCH, opened.num_episodes), opened.env_kwargs) as env,
        Progress("replaying", opened.num_episodes, unit="episodes", quiet=quiet) as progress,
    ):
        try:
            for group in _groups(opened, env.num_envs):
                verdicts += _compare(env, group, verify, film)
                progress.advance(len(verdicts))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{len(verdicts)} episodes were compared; the dataset is untouched.") from None
        finally:
            film.discard_unfinished()
    agrees = all(verdict.agrees for verdict in verdicts)
    if as_json:
        print_json({"agrees": agrees, "episodes": [asdict(verdict) for verdict in verdicts]})
    else:
        print_text("\n".join(map(_line, verdicts)))
        print_text(f"{sum(verdict.agrees for verdict in verdicts)} of {len(verdicts)} episodes agree bit for bit")
    return 0 if agrees else 1


def _groups(dataset: "Dataset", size: int) -> Iterator[list[tuple[int, Episode]]]:
    for start in range(0, dataset.num_episodes, size):
        numbers = range(start, min(start + size, dataset.num_episodes))
        yield [(number, dataset.episode(number)) for number in numbers]


def _compare(env: "RobotVectorEnv", group: Sequence[tuple[int, Episode]], verify: bool, film: "_Film") -> list[Verdict]:
    episodes = [episode for _, episode in group]
    for number, episode in group:
        if episode.states is None:
            raise DatasetError(f"episode {number} holds no simulator states (source: {episode.source}); nothing to set")
    by_states = _first_differences(_by_states(env, group, film), episodes)
    by_actions = _first_differences(_by_actions(env, episodes), episodes) if verify else [None] * len(episodes)
    return [
        Verdict(number, episode.seed, states, actions)
        for (number, episode), states, actions in zip(group, by_states, by_actions, strict=True)
    ]


def _first_differences(replayed: Iterator[Observations], episodes: Sequence[Episode]) -> list[str]:
    """`part[step]` of the first difference of each episode, or empty."""
    found = [""] * len(episodes)
    for step, observations in enumerate(replayed):
        for i, episode in enumerate(episodes):
            if not found[i] and step <= episode.length:
                names = (name for name in observations if not _same(observations[name][i], episode, name, step))
                found[i] = next((f"{name}[{step}]" for name in names), "")
    return found


def _same(replayed: NDArray[Any], episode: Episode, name: str, step: int) -> bool:
    return bool(replayed.tobytes() == episode.observations[name][step].tobytes())


def _by_states(env: "RobotVectorEnv", group: Sequence[tuple[int, Episode]], film: "_Film") -> Iterator[Observations]:
    """Observations `(N, ...)` at every step, from the stored states alone."""
    episodes = [episode for _, episode in group]
    _restart(env, episodes)
    for step in range(max(episode.length for episode in episodes) + 1):
        yield env.set_states(_states(env, episodes, step))
        film.watch(env, group, step)
    film.end_group()


def _by_actions(env: "RobotVectorEnv", episodes: Sequence[Episode]) -> Iterator[Observations]:
    """Observations `(N, ...)` at every step, from the first state and the stored actions."""
    _restart(env, episodes)
    yield env.set_states(_states(env, episodes, 0))
    actions = np.zeros((env.num_envs, episodes[0].actions.shape[1]), dtype=np.float32)
    for step in range(max(episode.length for episode in episodes)):
        for i, episode in enumerate(episodes):
            actions[i] = episode.actions[step] if step < episode.length else 0.0
        yield env.step(actions)[0]


def _restart(env: "RobotVectorEnv", episodes: Sequence[Episode]) -> None:
    """Begins the episodes anew: what a reset draws, such as sizes, is not part of a state."""
    spare = env.num_envs - len(episodes)
    env.reset(seed=[episode.seed for episode in episodes] + [episodes[-1].seed] * spare)


def _states(env: "RobotVectorEnv", episodes: Sequence[Episode], step: int) -> NDArray[np.float64]:
    rows = [episode.states[min(step, episode.length)] for episode in episodes if episode.states is not None]
    return np.stack(rows + [rows[-1]] * (env.num_envs - len(rows)))


class _Film:
    """Films the first episodes that are replayed."""

    def __init__(self, videos: int, folder: Path, fps: float) -> None:
        self._videos, self._folder, self._fps = videos, folder, fps
        self._writers: dict[int, Mp4Writer] = {}

    def watch(self, env: "RobotVectorEnv", group: Sequence[tuple[int, Episode]], step: int) -> None:
        """Adds a frame of every episode that is filmed and has not ended."""
        filmed = [(i, n) for i, (n, episode) in enumerate(group) if n < self._videos and step <= episode.length]
        if not filmed:
            return
        frames = env.render_frames(None, np.array([i for i, _ in filmed]))
        for (_, number), frame in zip(filmed, frames, strict=True):
            self._writer(number).append(frame)

    def end_group(self) -> None:
        """Closes the files, and only then gives them their names."""
        for number in list(self._writers):
            writer = self._writers[number]
            writer.close()
            writer.path.replace(self._folder / f"episode_{number}.mp4")
            del self._writers[number]

    def discard_unfinished(self) -> None:
        """Removes what was not closed."""
        while self._writers:
            self._writers.popitem()[1].discard()

    def _writer(self, number: int) -> "Mp4Writer":
        if number not in self._writers:
            from barkyard.evaluation.video import Mp4Writer

            self._folder.mkdir(parents=True, exist_ok=True)
            self._writers[number] = Mp4Writer(self._folder / f".episode_{number}.partial", self._fps)
        return self._writers[number]


def _line(verdict: Verdict) -> str:
    words = [_word("states", verdict.states_differ_at)]
    if verdict.actions_differ_at is not None:
        words.append(_word("actions", verdict.actions_differ_at))
    return f"episode {verdict.episode} (seed {verdict.seed}): {', '.join(words)}"


def _word(what: str, differ_at: str) -> str:
    return f"{what} differ at {differ_at}" if differ_at else f"{what} agree"
