"""Tests of two rates and intervals of their difference, against brute force and SciPy."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

from barkyard.errors import InvalidInput
from barkyard.evaluation.exact import paired_interval, paired_p, unpaired_interval, unpaired_p, wilson


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((7, 12), (2, 13), stats.boschloo_exact), ((160, 300), (130, 300), stats.fisher_exact)],
)
def test_unpaired_p_is_the_exact_test(a: tuple[int, int], b: tuple[int, int], expected: object) -> None:
    table = [[a[0], b[0]], [a[1] - a[0], b[1] - b[0]]]
    assert unpaired_p(*a, *b) == pytest.approx(expected(table).pvalue)  # type: ignore[operator]


def test_unpaired_p_at_the_ends() -> None:
    assert unpaired_p(0, 10, 0, 20) == 1.0
    assert unpaired_p(10, 10, 20, 20) == 1.0
    assert unpaired_p(0, 10, 20, 20) < 1e-6


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 15), st.integers(0, 15))
def test_paired_p_by_hand(wins: int, losses: int) -> None:
    count = wins + losses
    tail = sum(math.comb(count, k) for k in range(min(wins, losses) + 1)) / 2**count
    assert paired_p(wins, losses) == pytest.approx(min(2 * tail, 1.0))
    assert paired_p(wins, losses) == paired_p(losses, wins)


def test_policies_that_never_differ_are_no_evidence() -> None:
    assert paired_p(0, 0) == 1.0


def test_unpaired_interval_of_the_paper() -> None:
    """Newcombe 1998, table II, example a: 56/70 against 48/80."""
    assert unpaired_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_wilson_against_scipy() -> None:
    found = stats.binomtest(7, 20).proportion_ci(0.95, method="wilson")
    assert wilson(7, 20) == pytest.approx((found.low, found.high))
    assert wilson(0, 20)[0] == 0.0 and wilson(20, 20)[1] == 1.0


def brute_score(wins: int, losses: int, episodes: int, difference: float) -> float:
    """The score statistic with the likeliest discordance searched for."""

    def surprise(lost: float) -> float:
        shares = [(wins, lost + difference), (losses, lost), (episodes - wins - losses, 1 - 2 * lost - difference)]
        return -sum(count * math.log(max(share, 1e-300)) for count, share in shares if count)

    least, most = max(0.0, -difference), (1 - difference) / 2
    lost = minimize_scalar(surprise, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x
    return float(
        (wins - losses - episodes * difference) / math.sqrt(episodes * (2 * lost + difference - difference**2))
    )


@pytest.mark.parametrize(("wins", "losses", "episodes"), [(12, 3, 50), (3, 12, 50), (1, 1, 10), (30, 10, 40)])
def test_paired_interval_ends_where_the_score_test_rejects(wins: int, losses: int, episodes: int) -> None:
    low, high = paired_interval(wins, losses, episodes)
    assert brute_score(wins, losses, episodes, low) == pytest.approx(stats.norm.ppf(0.975), abs=1e-4)
    assert brute_score(wins, losses, episodes, high) == pytest.approx(-stats.norm.ppf(0.975), abs=1e-4)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 12))
def test_intervals_mirror_and_hold_the_estimate(wins: int, losses: int, rest: int) -> None:
    episodes = wins + losses + rest
    low, high = paired_interval(wins, losses, episodes)
    assert -1 <= low <= (wins - losses) / episodes + 1e-9 and (wins - losses) / episodes - 1e-9 <= high <= 1
    assert paired_interval(losses, wins, episodes) == pytest.approx((-high, -low), abs=1e-6)
    low, high = unpaired_interval(wins, episodes, losses, episodes)
    assert low <= (wins - losses) / episodes <= high
    assert unpaired_interval(losses, episodes, wins, episodes) == pytest.approx((-high, -low))


def test_paired_interval_at_the_ends() -> None:
    assert paired_interval(10, 0, 10)[1] == 1.0 and paired_interval(0, 10, 10)[0] == -1.0
    low, high = paired_interval(0, 0, 10)
    z = stats.norm.ppf(0.975) ** 2
    assert (low, high) == pytest.approx((-z / (10 + z), z / (10 + z)))


@pytest.mark.parametrize("counts", [(11, 10, 1, 10), (1, 10, -1, 10), (1, 10, 5, 4)])
def test_refuses_what_are_no_counts(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(InvalidInput, match="is no count"):
        unpaired_p(*counts)
    with pytest.raises(InvalidInput, match="is no count"):
        unpaired_interval(*counts)
    with pytest.raises(InvalidInput, match="is no count"):
        paired_interval(counts[0], counts[2], 3)
