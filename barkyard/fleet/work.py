"""The two kinds of work: episodes that are counted, and episodes that are kept."""

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from barkyard import evaluation
from barkyard.acting import make_actor
from barkyard.datasets import Dataset, DatasetWriter
from barkyard.envs.env import RobotVectorEnv
from barkyard.episode import Actor, Episode
from barkyard.errors import BarkyardError
from barkyard.evaluation.race import OnBlock, RaceResult, Rules, Setting, follow
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


def race(
    works: Mapping[str, Work],
    setting: Setting,
    seeds: Sequence[int],
    backend: Backend,
    folder: Path,
    rules: Rules | None = None,
    *,
    command: str = "",
    on_block: OnBlock | None = None,
) -> RaceResult:
    """`barkyard.evaluation.race.race` by a fleet: the same verdict after the same seeds, and the same results.

    Work is given out ahead of what is known, so a few more episodes are run than are in the results.

    Args:
        works: who acts where, by name; alike but for the actor.
        setting: the environment in which they act.
        seeds: one an episode.
        backend: who does it.
        folder: for the items' results, which all machines see; from there an interrupted race goes on.
        rules: see `barkyard.evaluation.race.race`.
        command: the same.
        on_block: the same.

    Raises:
        InvalidInput: there are fewer than two, names repeat, or an evaluation does not fit.
        ItemsFailed: an item was given up; the results up to it went to `on_block`.
        ResultError: an item's result is damaged.
        BarkyardError: another process works in `folder`.
    """
    names, size = tuple(works), next(iter(works.values())).num_envs
    plans = [_plan(evaluate_item, work, seeds, folder) for work in works.values()]
    turns = itertools.chain.from_iterable(zip(*(plan.items for plan in plans), strict=True))
    plan = Plan(evaluate_item, tuple(replace(item, number=number) for number, item in enumerate(turns)))

    def name(item: Item) -> str:
        return names[item.number % len(names)]

    def blocks(wanted: Callable[[str], bool]) -> Iterator[tuple[str, EvalResult]]:
        known = run(plan, backend, wanted=lambda item: wanted(name(item)))
        with closing(cast(Any, known)) as outcomes:
            for ended in outcomes:
                if isinstance(ended, Failure):
                    raise ItemsFailed([ended])
                yield name(ended), EvalResult.load(ended.target)

    with FolderLock(folder):
        return follow(blocks, setting, names, seeds, size, rules, command=command, on_block=on_block)


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
    env, actor, _, fingerprints = _opened(work)
    evaluation.evaluate(env, actor, seeds, fingerprints=fingerprints).save(target)


def collect_item(work: Work, seeds: tuple[int, ...], target: Path) -> None:
    """Write a dataset with the episodes of these seeds."""
    env, actor, teacher, _ = _opened(work)
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


def _opened(work: Work) -> tuple[RobotVectorEnv, Actor, Actor | None, dict[str, str]]:
    """The environment and actors of this process, which serve all its items."""
    env, made = _place(json.dumps([work.env_id, work.env_kwargs, work.num_envs, work.threads], sort_keys=True))
    for asked in ((work.actor, work.noise), ("expert", 0.0)) if work.teacher else ((work.actor, work.noise),):
        if asked not in made:
            made[asked] = make_actor(asked[0], env, asked[1])
    actor, fingerprints = made[work.actor, work.noise]
    return env, actor, made["expert", 0.0][0] if work.teacher else None, fingerprints


@lru_cache(maxsize=1)
def _place(told: str) -> tuple[RobotVectorEnv, dict[tuple[str, float], tuple[Actor, dict[str, str]]]]:
    """An environment, and the actors that have been made for it so far."""
    from gymnasium.vector import AutoresetMode

    from barkyard.envs.registry import make_vec_env

    env_id, arguments, num_envs, threads = json.loads(told)
    options = {"num_threads": threads, **arguments}
    return make_vec_env(env_id, num_envs, autoreset_mode=AutoresetMode.DISABLED, **options), {}
