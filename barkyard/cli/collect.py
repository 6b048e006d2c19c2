"""`barkyard collect`: record demonstrations."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from tyro.conf import Positional, arg

from barkyard.cli.fleet import Fleet, FleetWords, collect_by_fleet
from barkyard.cli.opening import DEFAULT_NUM_ENVS, environment_arguments, make_actor, open_environment
from barkyard.cli.terminal import Json, Progress, Quiet, print_json, print_text
from barkyard.episode import Episode
from barkyard.errors import BarkyardError, InvalidInput
from barkyard.rollout import rollout

if TYPE_CHECKING:
    from barkyard.datasets import DatasetWriter


Run = Callable[[Sequence[int]], Iterable[Episode]]
"""Runs one episode for each seed."""
TRIES_PER_EPISODE: Final = 10
"""Collection gives up where, after a hundred tries, fewer than one episode in this many succeeds."""


def collect(
    env: Annotated[Positional[str], arg(metavar="ENV")],
    /,
    *,
    out: Annotated[Path, arg(metavar="DIR")],
    actor: Annotated[str, arg(metavar="expert|random|CHECKPOINT")] = "expert",
    episodes: int = 200,
    num_envs: int = DEFAULT_NUM_ENVS,
    seed: int = 0,
    cameras: tuple[str, ...] = (),
    keep_failures: bool = False,
    teacher: bool = False,
    states: bool = True,
    env_kwargs: tuple[str, ...] = (),
    fleet: FleetWords = Fleet(),  # noqa: B008
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Record episodes into a dataset. The same command goes on where it was stopped.

    Args:
        env: the environment's id; `barkyard envs` lists them.
        out: the dataset's folder.
        actor: who acts.
        episodes: how many episodes the dataset is to hold; failures count only if they are kept.
        num_envs: environments stepped side by side.
        seed: seed of the first episode; the following ones count up.
        cameras: names of cameras to record.
        keep_failures: keep episodes that did not succeed.
        teacher: ask the expert at every step too, and record its answers; policies learn these where there are any
            (DAgger).
        states: record the simulator's states, from which episodes replay exactly; without them a dataset is smaller.
        env_kwargs: arguments of the environment, as key=value or a JSON object.
        fleet: who does the work; by default this process.
        as_json: print a summary as JSON.
        quiet: show no progress.
    """
    if episodes < 1:
        raise InvalidInput(f"--episodes is {episodes}; give at least 1")
    began = time.monotonic()
    with closing(Recording(out, env, keep_failures)) as recording:
        if recording.kept < episodes:
            arguments = environment_arguments(env_kwargs, cameras)
            with (
                open_environment(env, min(num_envs, episodes), arguments) as batch,
                Progress(f"collecting {env}", episodes, unit="episodes", quiet=quiet, done=recording.kept) as progress,
            ):
                who, _ = make_actor(actor, batch)
                asked = make_actor("expert", batch)[0] if teacher else None
                run: Run = partial(rollout, batch, who, teacher=asked, record_states=states)
                if fleet.backend is not None:
                    run = collect_by_fleet(fleet, env, arguments, actor, batch.num_envs, teacher, states, out)
                recording.fill(run, seed, episodes, progress)
    summary = {
        "path": str(out),
        "episodes": recording.kept,
        "recorded": recording.recorded,
        "failed": recording.failed,
        "seconds": round(time.monotonic() - began, 1),
    }
    if as_json:
        print_json(summary)
    else:
        new = f", {recording.recorded} of them new" if recording.recorded else ""
        fate = "kept" if keep_failures else "left out"
        failed = f"; {recording.failed} of {recording.tried} tries failed and were {fate}" if recording.failed else ""
        print_text(f"{out} holds {recording.kept} episodes{new}{failed}")
    return 0


class Recording:
    """A dataset that is being filled.

    Raises:
        InvalidInput: the folder holds a dataset of another environment.
        DatasetError: the folder holds something else, or a damaged dataset.
    """

    def __init__(self, path: Path, env_id: str, keep_failures: bool) -> None:
        self._path, self._keep_failures = path, keep_failures
        self._writer: DatasetWriter | None = None
        self.kept = self.recorded = self.failed = self.tried = 0
        if any(not file.name.startswith(".") for file in path.rglob("*") if file.is_file()):
            self._writer = _writer_class().resume(path)
            self.kept = self._writer.num_episodes
            recorded_id = self._writer.spec.env_id
            if recorded_id != env_id:
                self.close()
                raise InvalidInput(f"{path} holds episodes of {recorded_id}, not of {env_id}; choose another folder")

    def next_seed(self, seed: int) -> int:
        """`seed`, or the one after the last stored."""
        return max(seed, int(self._writer.seeds.max()) + 1) if self._writer is not None and self.kept else seed

    def fill(self, run: Run, seed: int, wanted: int, progress: Progress) -> None:
        """Run episodes with seeds from `seed`, or after the last one stored, until `wanted` are kept.

        Raises:
            BarkyardError: hardly any episode succeeds.
            KeyboardInterrupt: with what was kept and how to go on.
        """
        seed = self.next_seed(seed)
        try:
            while self.kept < wanted:
                seeds = range(seed, seed + wanted - self.kept)
                for episode in run(seeds):
                    self.take(episode)
                    progress.advance(self.kept, f"{self.failed} failed")
                seed = seeds.stop
                if self.kept < wanted and self.tried >= TRIES_PER_EPISODE * (self.recorded + 10):
                    raise BarkyardError(
                        f"only {self.recorded} of {self.tried} episodes succeeded; {self._path} holds {self.kept}. "
                        "Add --keep-failures to keep the others too, or choose another actor."
                    )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{self._path} keeps {self.recount()} finished episodes; the same command goes on from there."
            ) from None

    def close(self) -> None:
        """Completes the dataset's metadata."""
        if self._writer is not None:
            self._writer.close()

    def recount(self) -> int:
        """Episodes on disk, where an interrupt may have fallen between writing one and counting it."""
        if self._writer is None:
            return 0
        self.close()
        self._writer = _writer_class().resume(self._path)
        return self._writer.num_episodes

    def take(self, episode: Episode, *, always: bool = False) -> bool:
        """Write an episode, or leave out a failure unless `always`; whether it was written."""
        self.tried += 1
        self.failed += not episode.success
        if not (episode.success or always or self._keep_failures):
            return False
        if self._writer is None:
            self._writer = _writer_class().create(self._path, episode)
        self._writer.write(episode)
        self.kept += 1
        self.recorded += 1
        return True

    def undo(self) -> str:
        """Remove the episode that was written last in this recording; what happened, in words."""
        if self._writer is None or not self.recorded:
            return "nothing to undo: no episode was kept since this began"
        number = self._writer.remove_last()
        self.kept -= 1
        self.recorded -= 1
        return f"episode {number} is removed"


def _writer_class() -> "type[DatasetWriter]":
    from barkyard.datasets import DatasetWriter

    return DatasetWriter
