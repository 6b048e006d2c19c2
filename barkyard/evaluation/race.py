"""Evaluating several actors on common seeds, and stopping when it is known who is better."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, cast

from barkyard.episode import Actor
from barkyard.errors import InvalidInput
from barkyard.evaluation.comparison import BETTER, MARGIN, NOT_ENOUGH_EVIDENCE, WORSE
from barkyard.evaluation.evaluate import EvaluationEnv, evaluate
from barkyard.evaluation.result import SEQUENTIAL, EvalResult
from barkyard.evaluation.sequential import BestPolicy, SequentialComparison

LEVEL: Final = 0.05

Blocks = Callable[[Callable[[str], bool]], Iterator[tuple[str, EvalResult]]]
"""Runs the actors: block after block of seeds, and within a block actor after actor. It may leave out an actor once the
function it is given says that its name is not wanted any more."""


OnBlock = Callable[[Mapping[str, EvalResult], str], None]
Outcomes = dict[str, dict[int, bool]]


class Setting(Protocol):
    """Where actors act: as much of an environment as tells two of them apart."""

    @property
    def env_id(self) -> str:
        """The environment's id."""

    @property
    def fingerprint(self) -> str:
        """Of the environment."""

    @property
    def source(self) -> str:
        """What kind of world it is."""


@dataclass(frozen=True)
class Rules:
    """What is compared, and when it is known.

    Attributes:
        against: finished evaluations to compare with, by name; they must hold all seeds of the same environment.
        margin: a smaller difference of two does not matter.
        level: how often a best one may be taken for a worse one, whenever one stops.
    """

    against: Mapping[str, EvalResult] = field(default_factory=dict)
    margin: float = MARGIN
    level: float = LEVEL


@dataclass(frozen=True)
class RaceResult:
    """What a race found, and what it cost.

    Attributes:
        verdict: of two, that of the first against the second; of more, `better` where one is shown to be the best, else
            `not enough evidence`.
        may_be_best: those that no other is shown to beat.
        decided_after: seeds on which the verdict was known, or None.
        episodes: that were run, of all actors.
        episodes_asked: that would have been run without stopping.
        results: of every actor that acted, by name; sequential, so that nothing else is read from them by mistake.
        words: the verdict in a sentence.
    """

    verdict: str
    may_be_best: tuple[str, ...]
    decided_after: int | None
    episodes: int
    episodes_asked: int
    results: Mapping[str, EvalResult]
    words: str

    @property
    def saved(self) -> int:
        """Episodes that need not be run."""
        return self.episodes_asked - self.episodes


def race(
    env: EvaluationEnv,
    actors: Mapping[str, Actor],
    seeds: Sequence[int],
    rules: Rules | None = None,
    *,
    fingerprints: Mapping[str, Mapping[str, str]] | None = None,
    command: str = "",
    on_block: OnBlock | None = None,
) -> RaceResult:
    """Run actors on common seeds, `env.num_envs` at a time, until it is known who is better, or no seed is left.

    Two are compared by `SequentialComparison`, more by `BestPolicy`, which drops those that are shown to be beaten.
    Seeds are looked at one by one, in their order, so the answer does not depend on `env.num_envs`; what is run does,
    by the rest of the last batch.

    Args:
        env: a vector environment with autoreset disabled.
        actors: by name; at least one.
        seeds: one seed an episode, each once, from the evaluation range.
        rules: what is compared, and when it is known; by default the actors alone.
        fingerprints: of what each actor was made from.
        command: the command that asked for this, for the record.
        on_block: called after each batch with the results so far and with where the comparison stands; for progress,
            and to keep them.

    Raises:
        InvalidInput: there are fewer than two, names repeat, or an evaluation does not fit.
        EvaluationInterrupted: an episode could not be finished; what was finished before went to `on_block`.
    """

    def blocks(wanted: Callable[[str], bool]) -> Iterator[tuple[str, EvalResult]]:
        for start in range(0, len(seeds), env.num_envs):
            block = seeds[start : start + env.num_envs]
            for name in filter(wanted, actors):
                yield name, evaluate(env, actors[name], block, fingerprints=(fingerprints or {}).get(name))

    return follow(blocks, env, tuple(actors), seeds, env.num_envs, rules, command=command, on_block=on_block)


def follow(
    blocks: Blocks,
    setting: Setting,
    names: Sequence[str],
    seeds: Sequence[int],
    size: int,
    rules: Rules | None = None,
    *,
    command: str = "",
    on_block: OnBlock | None = None,
) -> RaceResult:
    """As `race`, wherever the actors are run; what is found does not depend on where.

    Args:
        blocks: runs them.
        setting: the environment in which they act.
        names: of the actors, in the order in which `blocks` gives them.
        seeds: one seed an episode, each once.
        size: seeds of a block.
        rules: see `race`.
        command: the same.
        on_block: the same.

    Raises:
        InvalidInput: there are fewer than two, names repeat, or an evaluation does not fit.
    """
    rules = rules or Rules()
    _check(setting, names, rules.against, seeds)
    referee = _Referee([*names, *rules.against], rules.margin, rules.level)
    outcomes: Outcomes = {name: {r.seed: r.success for r in known.episodes} for name, known in rules.against.items()}
    results: dict[str, EvalResult] = {}
    begin = time.perf_counter()
    with closing(cast(Any, blocks(lambda name: name in referee.left and referee.decided_after is None))) as arriving:
        for start in range(0, len(seeds), size):
            block = list(seeds[start : start + size])
            for name in (name for name in names if name in referee.left):
                more = next(more for who, more in arriving if who == name and more.episodes[0].seed == block[0])
                seconds = time.perf_counter() - begin
                results[name] = _joined(results.get(name), replace(more, command=command), len(seeds), seconds)
                outcomes[name] = outcomes.get(name, {}) | {r.seed: r.success for r in more.episodes}
            for seed in block:
                referee.see({name: outcomes[name][seed] for name in referee.left})
            noted = {name: replace(each, sampling_note=_note(each, referee)) for name, each in results.items()}
            if on_block is not None:
                on_block(noted, referee.words)
            if referee.decided_after is not None:
                break
    return RaceResult(
        verdict=referee.verdict,
        may_be_best=referee.may_be_best,
        decided_after=referee.decided_after,
        episodes=sum(result.num_episodes for result in results.values()),
        episodes_asked=len(names) * len(seeds),
        results=noted,
        words=referee.words,
    )


class _Referee:
    """Two by their e-process, more by elimination; sees one seed after another, and nothing once it has decided."""

    def __init__(self, names: Sequence[str], margin: float, level: float) -> None:
        self.names, self.left = tuple(names), tuple(names)
        self.verdict, self._seen = NOT_ENOUGH_EVIDENCE, 0
        self._pair = SequentialComparison(margin=margin, level=level) if len(names) == 2 else None
        self._many = BestPolicy(names, level=level) if len(names) > 2 else None
        self.decided_after: int | None = None

    def see(self, outcomes: Mapping[str, bool]) -> None:
        if self.decided_after is not None:
            return
        self._seen += 1
        if self._pair is not None:
            self.verdict = self._pair.update(*(float(outcomes[name]) for name in self.names)).verdict
            decided = self.verdict != NOT_ENOUGH_EVIDENCE
        else:
            assert self._many is not None
            self.left = self._many.update(outcomes)
            decided = len(self.left) == 1
            self.verdict = BETTER if decided else NOT_ENOUGH_EVIDENCE
        self.decided_after = self._seen if decided else None

    @property
    def may_be_best(self) -> tuple[str, ...]:
        if self._pair is None:
            return self.left
        return {BETTER: self.names[:1], WORSE: self.names[1:]}.get(self.verdict, self.names)

    @property
    def words(self) -> str:
        first, second = self.names[:2]
        if self._pair is None:
            many = len(self.left) > 1
            what = f"{'one of these is' if many else 'shown to be'} the best: {', '.join(self.left)}"
        else:
            what = f"{first}: {self.verdict} {'than' if self.verdict in (BETTER, WORSE) else 'against'} {second}"
        return what if self.decided_after is None else f"{what}, known after {self.decided_after} seeds"


def _note(result: EvalResult, referee: _Referee) -> str:
    return f"{result.num_episodes} of {result.episodes_asked} episodes; {referee.words}"


def _joined(before: EvalResult | None, more: EvalResult, asked: int, seconds: float) -> EvalResult:
    return replace(
        more,
        episodes=(*(before.episodes if before else ()), *more.episodes),
        episodes_asked=asked,
        seconds=seconds,
        sampling=SEQUENTIAL,
    )


def _check(setting: Setting, names: Sequence[str], against: Mapping[str, EvalResult], seeds: Sequence[int]) -> None:
    if not names or len(names) + len(against) < 2:
        raise InvalidInput(f"{len(names)} actors and {len(against)} results; give an actor and one other")
    for name, result in against.items():
        if name in names:
            raise InvalidInput(f"two are named {name!r}; tell them apart with NAME=")
        if result.unfair:
            raise InvalidInput(f"{name}: {result.unfair}")
        if result.fingerprints.get("env") != setting.fingerprint or result.source != setting.source:
            raise InvalidInput(
                f"{name} acted in another environment than {setting.env_id} as it is here; evaluate it anew, or give "
                "the same --env-kwargs"
            )
        held = {record.seed for record in result.episodes}
        missing = [seed for seed in seeds if seed not in held]
        if missing:
            raise InvalidInput(
                f"{name} lacks {len(missing)} of the {len(seeds)} seeds, such as {missing[0]}; common seeds are "
                f"needed: it has {len(held)} from {min(held)} on"
            )
