"""What collect and evaluate share where other processes or machines do the work."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from barkyard.cli.opening import make_actor, open_environment, typed_command
from barkyard.cli.terminal import Progress
from barkyard.episode import Episode
from barkyard.errors import BarkyardError

if TYPE_CHECKING:
    from barkyard.evaluation import EvalResult
    from barkyard.fleet import Backend, Item, Work


@dataclass(frozen=True)
class Fleet:
    """Who does the work.

    Attributes:
        backend: local (this process, item by item), processes (of this machine) or ray (a cluster). The results are the
            same; an item is as many episodes as --num-envs, and the same command goes on from the items that are done.
        workers: processes; one a core unless given.
        address: of the Ray cluster; auto is the one that this machine is in.
        timeout: seconds that an item may take.
    """

    backend: Literal["local", "processes", "ray"] | None = None
    workers: int = len(os.sched_getaffinity(0))
    address: str = "auto"
    timeout: float = 3600.0

    def make(self) -> "Backend":
        """The backend."""
        from barkyard.fleet import make_backend

        assert self.backend is not None
        return make_backend(self.backend, workers=self.workers, address=self.address, timeout=self.timeout)

    def work(self, env: str, arguments: dict[str, Any], actor: str, num_envs: int, noise: float = 0.0) -> "Work":
        """Work of an actor for this fleet; a worker beside others has one thread."""
        from barkyard.fleet import Work

        return Work(env, arguments, actor, num_envs, noise, threads=0 if self.backend == "local" else 1)


FleetWords = Annotated[Fleet, tyro.conf.OmitArgPrefixes]


def evaluate_by_fleet(
    fleet: Fleet,
    env: str,
    arguments: dict[str, Any],
    actor: str,
    noise: float,
    num_envs: int,
    seeds: Sequence[int],
    out: Path,
    quiet: bool,
) -> "EvalResult":
    """The result of `barkyard evaluate`; items lie beside it until it is complete."""
    from barkyard import fleet as fleets

    with open_environment(env, 1, arguments) as one:
        make_actor(actor, one, noise)  # what cannot be is refused before anybody is sent to do it
    work = fleet.work(env, arguments, actor, num_envs, noise)
    done = 0
    with (
        Progress(f"evaluating {actor} on {env}", len(seeds), unit="episodes", quiet=quiet) as progress,
        items_beside(out) as items,
    ):

        def count(item: "Item") -> None:
            nonlocal done
            done += len(item.seeds)
            progress.advance(done)

        result = fleets.evaluate(work, seeds, fleet.make(), items, on_item=count, command=typed_command())
        result.save(out)
    return result


@contextmanager
def items_beside(out: Path) -> Iterator[Path]:
    """The folder of an evaluation's items, which goes when it ends well; else it is said where they are.

    Raises:
        BarkyardError: items were given up.
    """
    from barkyard.fleet.work import ItemsFailed

    items = items_folder(out)
    try:
        yield items
    except ItemsFailed as failed:
        if failed.partial is not None:
            failed.partial.save(out.with_suffix(".partial.json"))
        raise BarkyardError(
            f"{failed}\nWhat was finished is in {items}; the same command tries the rest again."
        ) from failed
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"What was finished is in {items}; the same command goes on from there.") from None
    shutil.rmtree(items)


def collect_by_fleet(
    fleet: Fleet,
    env: str,
    arguments: dict[str, Any],
    actor: str,
    num_envs: int,
    teacher: bool,
    states: bool,
    out: Path,
) -> Callable[[Sequence[int]], Iterable[Episode]]:
    """What runs the episodes of `barkyard collect`."""
    from barkyard import fleet as fleets

    work = replace(fleet.work(env, arguments, actor, num_envs), teacher=teacher, states=states)
    return partial(fleets.collect, work, backend=fleet.make(), folder=items_folder(out))


def items_folder(out: Path) -> Path:
    """The folder of items that are done and not yet part of `out`."""
    return out.with_name(f"{out.name}.items")
