"""The two kinds of work: episodes that are counted, and episodes that are kept."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from barkyard import evaluation
from barkyard.acting import make_actor
from barkyard.datasets import Dataset, DatasetWriter
from barkyard.envs.env import RobotVectorEnv
from barkyard.episode import Actor, Episode
from barkyard.errors import BarkyardError
from barkyard.evaluation.result import EvalResult
from barkyard.files import LOCK, FolderLock, make_folder
from barkyard.fleet.plan import Backend, Failure, Item, Plan
from barkyard.fleet.run import run
from barkyard.rollout import rollout


@dataclass(frozen=True)
class Work:
    """Who acts where; plain values.

    Attributes:
        env_id: the environment's id.
        env_kwargs: its keyword arguments.
        actor: `expert`, `random`, or a checkpoint's folder, which all machines see.
        num_envs: environments stepped side by side in one worker; also the episodes of an item.
        noise: standard deviation of noise on the actions.
        teacher: whether the expert is asked too.
        states: whether simulator states are recorded.
        threads: of one worker's simulations; 0 is one a core.
    """

    env_id: str
    env_kwargs: Mapping[str, Any]
    actor: str
    num_envs: int
    noise: float = 0.0
    teacher: bool = False
    states: bool = True
    threads: int = 0


class ItemsFailed(BarkyardError):
    """Some items were given up; the others are done.

    Attributes:
        failures: those given up.
        partial: of an evaluation, the result of the others; None where there is none.
    """

    def __init__(self, failures: Sequence[Failure], partial: EvalResult | None = None) -> None:
        listed = "\n".join(
            f"seeds {each.item.seeds[0]} to {each.item.seeds[-1]} ({each.tries} tries): {each.reason.rstrip()}"
            for each in failures
        )
        super().__init__(f"{len(failures)} items failed:\n{listed}")
        self.failures, self.partial = tuple(failures), partial


def evaluate(
    work: Work,
    seeds: Sequence[int],
    backend: Backend,
    folder: Path,
    *,
    on_item: Callable[[Item], None] | None = None,
    command: str = "",
) -> EvalResult:
    """`barkyard.evaluation.evaluate` by a fleet; the records are the same, whoever does it.

    Args:
        work: who acts where.
        seeds: one an episode.
        backend: who does it.
        folder: for the items' results, which all machines see; from there an interrupted evaluation goes on.
        on_item: called as items end; for progress.
        command: for the record.

    Raises:
        ItemsFailed: items were given up; with the result of the rest.
        ResultError: an item's result is damaged.
        BarkyardError: another process works in `folder`.
    """
    began = time.perf_counter()
    plan = _plan(evaluate_item, work, seeds, folder)
    parts, failures = [], []
    with FolderLock(folder):
        for ended in run(plan, backend, on_item=on_item):
            if isinstance(ended, Failure):
                failures.append(ended)
            else:
                parts.append(EvalResult.load(ended.target))
    if not parts:
        raise ItemsFailed(failures)
    records = tuple(record for part in parts for record in part.episodes)
    seconds = time.perf_counter() - began
    whole = replace(parts[0], episodes=records, episodes_asked=len(seeds), seconds=seconds, command=command)
    if failures:
        raise ItemsFailed(failures, whole)
    return whole


def collect(
    work: Work,
    seeds: Sequence[int],
    backend: Backend,
    folder: Path,
    *,
    on_item: Callable[[Item], None] | None = None,
) -> Iterator[Episode]:
    """`barkyard.rollout.rollout` by a fleet: the same episodes in the same order.

    Args:
        work: who acts where.
        seeds: one an episode.
        backend: who does it.
        folder: for the items' episodes, which all machines see. Those that have been taken are removed.
        on_item: called as items end; for progress.

    Yields:
        Episodes in the order of `seeds`.

    Raises:
        ItemsFailed: items were given up; after the episodes of the others.
        BarkyardError: another process works in `folder`.
    """
    failures = []
    plan = _plan(collect_item, work, seeds, folder)
    with FolderLock(folder):
        for ended in run(plan, backend, on_item=on_item):
            if isinstance(ended, Failure):
                failures.append(ended)
                continue
            yield from Dataset.open(ended.target)
            shutil.rmtree(ended.target)
        (folder / LOCK).unlink()
        with suppress(OSError):  # what was begun and not ended is still there
            folder.rmdir()
    if failures:
        raise ItemsFailed(failures)


def evaluate_item(work: Work, seeds: tuple[int, ...], target: Path) -> None:
    """Write the result of these seeds."""
    env, actor, _, fingerprints = _opened(json.dumps(asdict(work), sort_keys=True))
    evaluation.evaluate(env, actor, seeds, fingerprints=fingerprints).save(target)


def collect_item(work: Work, seeds: tuple[int, ...], target: Path) -> None:
    """Write a dataset with the episodes of these seeds."""
    env, actor, teacher, _ = _opened(json.dumps(asdict(work), sort_keys=True))
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial.parent)
    writer: DatasetWriter | None = None
    try:
        for episode in rollout(env, actor, seeds, teacher=teacher, record_states=work.states):
            writer = writer or DatasetWriter.create(partial, episode)
            writer.write(episode)
    finally:
        if writer is not None:
            writer.close()
    shutil.rmtree(target, ignore_errors=True)
    os.rename(partial, target)


def _plan(perform: Any, work: Work, seeds: Sequence[int], folder: Path) -> Plan:
    make_folder(folder)
    key = [perform.__name__, asdict(replace(work, num_envs=1, threads=1)), _content(work.actor)]
    return Plan.of(perform, work, seeds, work.num_envs, folder.resolve(), key)


def _content(actor: str) -> str:
    if actor in ("expert", "random"):
        return actor
    from barkyard.policies.checkpoint import checkpoint_fingerprint

    return checkpoint_fingerprint(actor)


@lru_cache(maxsize=1)
def _opened(work: str) -> tuple[RobotVectorEnv, Actor, Actor | None, dict[str, str]]:
    """The environment and actors of this process, which serve all its items."""
    from gymnasium.vector import AutoresetMode

    from barkyard.envs.registry import make_vec_env

    told = Work(**json.loads(work))
    env = make_vec_env(
        told.env_id,
        told.num_envs,
        autoreset_mode=AutoresetMode.DISABLED,
        **{"num_threads": told.threads, **told.env_kwargs},
    )
    actor, fingerprints = make_actor(told.actor, env, told.noise)
    return env, actor, make_actor("expert", env)[0] if told.teacher else None, fingerprints
