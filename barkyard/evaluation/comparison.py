"""Which policy is better? Exact tests on evaluations, with four verdicts and no rate without its interval."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import permutation_test, ttest_1samp, ttest_ind

from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.exact import paired_interval, paired_p, unpaired_interval, unpaired_p
from barkyard.evaluation.intervals import Interval, clopper_pearson
from barkyard.evaluation.result import EvalResult

BETTER: Final = "better"
WORSE: Final = "worse"
NO_PRACTICAL_DIFFERENCE: Final = "no practical difference"
NOT_ENOUGH_EVIDENCE: Final = "not enough evidence"

SUCCESS: Final = "success"
MARGIN: Final = 0.05
"""A smaller difference does not matter in practice; our choice, to be set for the task."""
MOST_COMMON: Final = 0.8
"""Episodes are paired where at least this share of the smaller evaluation has seeds in common; our choice."""
_RESAMPLES: Final = 20_000


@dataclass(frozen=True)
class Arm:
    """One policy's side of a comparison.

    Attributes:
        name: of the policy.
        episodes: that count in this comparison.
        mean: success rate, or mean score.
        interval: 95 %, exact for success, Student's for scores.
    """

    name: str
    episodes: int
    mean: float
    interval: Interval | None


@dataclass(frozen=True)
class Comparison:
    """Policy A against policy B on one task.

    Attributes:
        a: the one.
        b: the other.
        test: what was done.
        difference: of the means, A minus B.
        interval: of the difference, at the confidence that many comparisons need; None where scores never vary.
        p: two-sided, corrected for many comparisons.
        verdict: of A: one of the four.
        discordant: for paired success, the episodes in which only A and only B succeeded.
    """

    a: Arm
    b: Arm
    test: str
    difference: float
    interval: Interval | None
    p: float
    verdict: str
    discordant: tuple[int, int] | None = None


@dataclass(frozen=True)
class Ranking:
    """Many policies against one another.

    Attributes:
        arms: every policy, best first.
        comparisons: every pair, corrected by Holm for all of them.
        may_be_best: policies that no other is shown to beat: the indistinguishable set.
        notes: what a reader has to know.
    """

    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    may_be_best: tuple[str, ...]
    notes: tuple[str, ...]


def compare(
    results: Sequence[tuple[str, EvalResult]],
    *,
    measure: str = SUCCESS,
    margin: float = MARGIN,
    level: float = 0.05,
    seed: int = 0,
) -> Ranking:
    """Compare two or more policies on one task.

    Episodes on common seeds of one environment are paired: McNemar's exact test for success, sign flips for scores.
    Otherwise they are independent: Boschloo's or Fisher's exact test, or permuted labels. With more than two policies,
    p is corrected by Holm's method and intervals by Bonferroni's, so that all verdicts hold together.

    Verdicts: "no practical difference" where the whole interval is within `margin`; else "better" or "worse" where p
    is at most `level`; else "not enough evidence".

    Args:
        results: name and evaluation of each policy.
        measure: `success`, or a score or metric that every episode has.
        margin: a smaller difference does not matter.
        level: probability of any wrong "better" or "worse" among equal policies.
        seed: of drawn permutations.

    Raises:
        InvalidInput: there are fewer than two, they are of different tasks or no fair sample, names repeat, the
            measure is unknown, or a number is out of range.
    """
    _check(results, margin, level)
    pairs = list(itertools.combinations(results, 2))
    confidence = 1 - level / len(pairs)
    compared = [_compare_pair(a, b, measure, confidence, seed) for a, b in pairs]
    judged = [
        _judged(each, p, margin, level) for each, p in zip(compared, holm([each.p for each in compared]), strict=True)
    ]
    beaten = {
        each.b.name if each.verdict == BETTER else each.a.name for each in judged if each.verdict in (BETTER, WORSE)
    }
    arms = sorted((_arm(name, _values(name, each, measure), measure) for name, each in results), key=lambda a: -a.mean)
    return Ranking(
        arms=tuple(arms),
        comparisons=tuple(judged),
        may_be_best=tuple(arm.name for arm in arms if arm.name not in beaten),
        notes=tuple(dict.fromkeys(note for a, b in pairs for note in _pair_notes(a, b))),
    )


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm, "A simple sequentially rejective multiple test procedure", 1979)."""
    order = np.argsort(p)
    corrected = np.empty(len(p))
    steps = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in corrected]


def paired_seeds(a: EvalResult, b: EvalResult) -> list[int]:
    """Common seeds if the evaluations can be paired, else none.

    Seeds mean the same start only in the same environment, so its fingerprint has to be equal.
    """
    same = a.fingerprints.get("env") == b.fingerprints.get("env") and a.env_kwargs == b.env_kwargs
    common = {record.seed for record in a.episodes} & {record.seed for record in b.episodes}
    enough = len(common) >= MOST_COMMON * min(a.num_episodes, b.num_episodes)
    return sorted(common) if same and enough else []


def _compare_pair(
    a: tuple[str, EvalResult], b: tuple[str, EvalResult], measure: str, confidence: float, seed: int
) -> Comparison:
    values_a, values_b = _values(*a, measure), _values(*b, measure)
    seeds = paired_seeds(a[1], b[1])
    if seeds:
        values_a, values_b = ({s: values[s] for s in seeds} for values in (values_a, values_b))
    first, second = (np.array(list(values.values())) for values in (values_a, values_b))
    discordant = None
    if measure == SUCCESS and seeds:
        discordant = int((first > second).sum()), int((first < second).sum())
        test = "McNemar's exact test on common seeds"
        p, interval = paired_p(*discordant), paired_interval(*discordant, len(seeds), confidence)
    elif measure == SUCCESS:
        counts = int(first.sum()), len(first), int(second.sum()), len(second)
        test, p, interval = "exact test of independent episodes", unpaired_p(*counts), None
        interval = unpaired_interval(*counts, confidence)
    else:
        test = "sign flips on common seeds" if seeds else "permuted labels of independent episodes"
        p, interval = _score_test(first, second, bool(seeds), confidence, seed)
    arms = _arm(a[0], values_a, measure), _arm(b[0], values_b, measure)
    return Comparison(*arms, test, arms[0].mean - arms[1].mean, interval, p, NOT_ENOUGH_EVIDENCE, discordant)


def _judged(comparison: Comparison, p: float, margin: float, level: float) -> Comparison:
    interval = comparison.interval
    if interval is not None and -margin <= interval.low and interval.high <= margin:
        verdict = NO_PRACTICAL_DIFFERENCE
    elif p <= level:
        verdict = BETTER if comparison.difference > 0 else WORSE
    else:
        verdict = NOT_ENOUGH_EVIDENCE
    return Comparison(**{**vars(comparison), "p": p, "verdict": verdict})


def _score_test(a: Floats, b: Floats, paired: bool, confidence: float, seed: int) -> tuple[float, Interval | None]:
    """p by permutation, all of them where there are few, and Student's interval of the difference of means."""
    if (np.ptp(a - b) if paired else max(np.ptp(a), np.ptp(b))) == 0.0 and (not paired or np.all(a == b)):
        return (1.0, None) if np.mean(a) == np.mean(b) else (_label_p(a, b, paired, seed), None)
    found = ttest_1samp(a - b, 0.0) if paired else ttest_ind(a, b, equal_var=False)
    low, high = found.confidence_interval(confidence)
    interval = Interval(float(low), float(high)) if math.isfinite(low) and math.isfinite(high) and low < high else None
    return _label_p(a, b, paired, seed), interval


def _label_p(a: Floats, b: Floats, paired: bool, seed: int) -> float:
    def difference(x: Floats, y: Floats, axis: int = -1) -> Any:
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    found = permutation_test(
        (a, b),
        difference,
        permutation_type="samples" if paired else "independent",
        n_resamples=_RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _values(name: str, result: EvalResult, measure: str) -> dict[int, float]:
    """The measure of each episode by its seed."""
    seeds = [record.seed for record in result.episodes]
    if measure == SUCCESS:
        return dict(zip(seeds, (float(record.success) for record in result.episodes), strict=True))
    metrics = result.metrics()
    if measure not in metrics:
        raise InvalidInput(f"{name} has no {measure!r} in every episode; it has {', '.join((SUCCESS, *metrics))}")
    return dict(zip(seeds, metrics[measure], strict=True))


def _arm(name: str, values: dict[int, float], measure: str) -> Arm:
    array = np.array(list(values.values()))
    interval: Interval | None
    if measure == SUCCESS:
        interval = clopper_pearson(int(array.sum()), len(array))
    elif len(array) > 1 and np.ptp(array) > 0:
        interval = Interval(*map(float, ttest_1samp(array, 0.0).confidence_interval()))
    else:
        interval = None
    return Arm(name, len(array), float(array.mean()), interval)


def _pair_notes(a: tuple[str, EvalResult], b: tuple[str, EvalResult]) -> list[str]:
    seeds = paired_seeds(a[1], b[1])
    who = f"{a[0]} and {b[0]}"
    if not seeds and (
        a[1].fingerprints.get("env") != b[1].fingerprints.get("env") or a[1].env_kwargs != b[1].env_kwargs
    ):
        return [f"{who} acted in different environments: the comparison is of policy and environment together"]
    left = a[1].num_episodes + b[1].num_episodes - 2 * len(seeds)
    return [f"{who}: {left} episodes on seeds that only one of them has are left out"] if seeds and left else []


def _check(results: Sequence[tuple[str, EvalResult]], margin: float, level: float) -> None:
    if len(results) < 2:
        raise InvalidInput(f"{len(results)} results; a comparison needs at least 2")
    names = [name for name, _ in results]
    for name, result in results:
        if names.count(name) > 1:
            raise InvalidInput(f"two results are named {name!r}; tell them apart with NAME=FILE")
        if result.unfair:
            raise InvalidInput(f"{name}: {result.unfair}")
        if (result.env_id, result.source) != (results[0][1].env_id, results[0][1].source):
            raise InvalidInput(
                f"{name} was evaluated on {result.env_id} ({result.source}) and {names[0]} on {results[0][1].env_id} "
                f"({results[0][1].source}); compare policies on one task"
            )
    if not 0 <= margin < 1:
        raise InvalidInput(f"margin is {margin}; give a difference from 0 to 1, such as {MARGIN}")
    if not 0 < level < 1:
        raise InvalidInput(f"level is {level}; give a probability between 0 and 1, such as 0.05")
