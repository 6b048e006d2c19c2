"""Comparisons of evaluations: pairing, tests, verdicts. All results are made up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from barkyard.errors import InvalidInput
from barkyard.evaluation import EvalResult
from barkyard.evaluation.comparison import (
    BETTER,
    NO_PRACTICAL_DIFFERENCE,
    NOT_ENOUGH_EVIDENCE,
    WORSE,
    Comparison,
    compare,
    holm,
    paired_seeds,
)
from barkyard.evaluation.exact import paired_p, unpaired_interval, unpaired_p

from .fakes import make_result


def result(outcomes: list[int], first_seed: int = 0, scores: list[float] | None = None) -> EvalResult:
    """An evaluation with these outcomes on seeds from `first_seed` on."""
    base = make_result(1, len(outcomes))
    records = tuple(
        replace(
            record,
            seed=first_seed + i,
            success=bool(outcomes[i]),
            end="success" if outcomes[i] else "time_limit",
            score=scores[i] if scores else None,
        )
        for i, record in enumerate(base.episodes)
    )
    return replace(base, episodes=records)


def only(a: EvalResult, b: EvalResult, **options: object) -> Comparison:
    [pair] = compare([("a", a), ("b", b)], **options).comparisons  # type: ignore[arg-type]
    return pair


MIXED = [1] * 40 + [0] * 60
A_WINS = [1] * 70 + [0] * 30


def test_common_seeds_are_paired() -> None:
    pair = only(result(A_WINS), result(MIXED))
    assert pair.test == "McNemar's exact test on common seeds"
    assert (pair.discordant, pair.verdict) == ((30, 0), BETTER)
    assert pair.p == paired_p(30, 0)
    assert pair.interval is not None and pair.interval.low > 0.2
    assert only(result(MIXED), result(A_WINS)).verdict == WORSE


def test_other_seeds_or_environments_are_independent() -> None:
    other_seeds = only(result(A_WINS), result(MIXED, first_seed=1000))
    assert other_seeds.test == "exact test of independent episodes"
    assert other_seeds.discordant is None
    assert other_seeds.p == unpaired_p(70, 100, 40, 100)
    assert other_seeds.interval == unpaired_interval(70, 100, 40, 100)
    elsewhere = replace(result(MIXED), env_kwargs={"light": "dark"})
    assert paired_seeds(result(A_WINS), elsewhere) == []
    notes = compare([("a", result(A_WINS)), ("b", elsewhere)]).notes
    assert "different environments" in notes[0]


def test_seeds_of_one_only_are_left_out_and_told() -> None:
    a, b = result(A_WINS), result(MIXED[:90], first_seed=0)
    ranking = compare([("a", a), ("b", b)])
    assert ranking.comparisons[0].a.episodes == 90
    assert ranking.notes == ("a and b: 10 episodes on seeds that only one of them has are left out",)
    assert ranking.arms[0].episodes == 100
    assert paired_seeds(result(A_WINS), result(MIXED, first_seed=50)) == []


def test_verdicts() -> None:
    assert only(result(MIXED), result(MIXED)).verdict == NO_PRACTICAL_DIFFERENCE  # 100 episodes, never different
    assert only(result(MIXED[:50]), result(MIXED[:50])).verdict == NOT_ENOUGH_EVIDENCE  # too few to say so
    close = [1] * 43 + [0] * 57
    assert only(result(close), result(MIXED)).verdict == NOT_ENOUGH_EVIDENCE
    many, more = [1] * 970 + [0] * 30, [1] * 955 + [0] * 45
    assert only(result(many), result(more)).verdict == NO_PRACTICAL_DIFFERENCE  # significant, and within 5 points
    assert only(result(many), result(more), margin=0.0).verdict == BETTER


def test_many_are_corrected_and_leave_a_set() -> None:
    names = ["best", "good", "close", "bad"]
    results = [result([1] * k + [0] * (100 - k)) for k in (95, 92, 90, 20)]
    ranking = compare(list(zip(names, results, strict=True)))
    assert [arm.name for arm in ranking.arms] == names
    assert "bad" not in ranking.may_be_best and {"best", "good"} <= set(ranking.may_be_best)
    raw = [paired_p(*pair.discordant) for pair in ranking.comparisons if pair.discordant]
    assert [pair.p for pair in ranking.comparisons] == pytest.approx(holm(raw))
    alone = only(results[0], results[3]).interval
    among = ranking.comparisons[2].interval
    assert alone is not None and among is not None
    assert among.low < alone.low and alone.high < among.high


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_raw_and_bonferroni(p: list[float]) -> None:
    for raw, corrected in zip(p, holm(p), strict=True):
        assert raw - 1e-12 <= corrected <= min(1.0, len(p) * raw) + 1e-12


def test_paired_scores_by_all_sign_flips() -> None:
    first, second = [0.9, 0.8, 0.7, 0.9, 1.0, 0.6], [0.5, 0.7, 0.8, 0.6, 0.4, 0.5]
    zeros = [0] * 6
    pair = only(result(zeros, scores=first), result(zeros, scores=second), measure="score")
    apart = np.array(first) - np.array(second)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    means = (apart[:, None] * signs).mean(axis=0)
    assert pair.p == pytest.approx((abs(means) >= abs(apart.mean()) - 1e-12).mean())
    found = stats.ttest_1samp(apart, 0).confidence_interval()
    assert pair.interval == pytest.approx((found.low, found.high))
    assert pair.a.mean == pytest.approx(np.mean(first))


def test_independent_scores() -> None:
    first, second = [0.9, 0.8, 0.7, 0.9], [0.1, 0.2, 0.3, 0.2]
    pair = only(result([0] * 4, scores=first), result([0] * 4, 100, scores=second), measure="score")
    assert pair.p == pytest.approx(2 / 70)  # the most extreme two of C(8, 4) labellings
    assert "permuted labels" in pair.test


def test_scores_that_never_vary_have_no_interval() -> None:
    same = result([0] * 5, scores=[1.0] * 5)
    pair = only(same, same, measure="score")
    assert (pair.p, pair.interval, pair.verdict, pair.a.interval) == (1.0, None, NOT_ENOUGH_EVIDENCE, None)


def test_refuses() -> None:
    a = result(MIXED)
    for results, options, named in (
        ([("a", a)], {}, "needs at least 2"),
        ([("a", a), ("a", a)], {}, "named 'a'"),
        ([("a", a), ("b", replace(a, episodes_asked=200))], {}, "100 of 200 episodes"),
        ([("a", a), ("b", replace(a, env_id="barkyard/Other-v0"))], {}, "compare policies on one task"),
        ([("a", a), ("b", replace(a, source="real"))], {}, "compare policies on one task"),
        ([("a", a), ("b", a)], {"margin": 5}, "margin is 5"),
        ([("a", a), ("b", a)], {"level": 0}, "level is 0"),
        ([("a", a), ("b", a)], {"measure": "speed"}, "has no 'speed'"),
    ):
        with pytest.raises(InvalidInput, match=named):
            compare(results, **options)
