"""Sequential comparison: the evidence by quadrature, its laws, and false alarms under peeking."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from barkyard.errors import InvalidInput
from barkyard.evaluation.comparison import BETTER, NO_PRACTICAL_DIFFERENCE, NOT_ENOUGH_EVIDENCE, WORSE
from barkyard.evaluation.sequential import BestPolicy, MeanSequence, SequentialComparison, log_evidence


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 0), (0, 5), (12, 7), (40, 38)])
def test_evidence_is_the_mixture_of_bets(wins: int, losses: int) -> None:
    capital, _ = quad(lambda share: 2 * (2 * share) ** wins * (2 * (1 - share)) ** losses, 0.5, 1.0)
    assert math.exp(log_evidence(wins, losses)) == pytest.approx(capital)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 200), st.integers(0, 200))
def test_the_capital_is_fair_for_equal_policies(wins: int, losses: int) -> None:
    """A fair coin leaves the expected capital as it is: the law behind Ville's inequality."""
    now = math.exp(log_evidence(wins, losses))
    then = (math.exp(log_evidence(wins + 1, losses)) + math.exp(log_evidence(wins, losses + 1))) / 2
    assert then == pytest.approx(now, rel=1e-9)
    assert log_evidence(wins + 1, losses) >= log_evidence(wins, losses)


def test_false_alarms_under_peeking_after_every_pair() -> None:
    generator = np.random.default_rng(0)
    nulls, pairs = 10_000, 300
    table = log_evidence(*np.meshgrid(np.arange(pairs + 1), np.arange(pairs + 1), indexing="ij"))
    first, second = (generator.random((nulls, pairs)) < 0.6 for _ in range(2))
    wins, losses = np.cumsum(first & ~second, axis=1), np.cumsum(second & ~first, axis=1)
    alarmed = (np.maximum(table[wins, losses], table[losses, wins]) >= math.log(2 / 0.05)).any(axis=1)
    assert 0.005 < alarmed.mean() <= 0.05


def test_verdicts_come_early_and_stay() -> None:
    comparison = SequentialComparison()
    states = [comparison.update(1, 0) for _ in range(20)]
    first = next(i for i, state in enumerate(states) if state.verdict == BETTER)
    assert first == 7  # with w wins 2^(w+1) / (w+1) (1 - 2^-(w+1)): 31.9 after 7, 56.8 after 8; 40 decides
    assert all(state.verdict == BETTER for state in states[first:])
    comparison = SequentialComparison()
    assert [comparison.update(0, 1).verdict for _ in range(20)][-1] == WORSE


def test_agreement_is_no_evidence_and_in_the_end_no_practical_difference() -> None:
    comparison = SequentialComparison(margin=0.2)
    state = comparison.update(1, 1)
    assert (state.verdict, state.episodes) == (NOT_ENOUGH_EVIDENCE, 1)
    assert state.evidence == pytest.approx((1.0, 1.0))
    while state.verdict == NOT_ENOUGH_EVIDENCE:
        state = comparison.update(0, 0)
        assert state.episodes < 1000
    assert state.verdict == NO_PRACTICAL_DIFFERENCE
    assert -0.2 <= state.difference.low <= 0 <= state.difference.high <= 0.2


def test_scores_are_compared_by_their_confidence_sequence() -> None:
    generator = np.random.default_rng(0)
    comparison = SequentialComparison()
    for _ in range(1000):
        state = comparison.update(0.7 + 0.2 * generator.random(), 0.3 + 0.2 * generator.random())
        if state.verdict != NOT_ENOUGH_EVIDENCE:
            break
    assert state.verdict == BETTER and state.episodes < 60
    assert state.difference.low > 0


def test_a_confidence_sequence_holds_the_mean_at_all_times() -> None:
    generator = np.random.default_rng(0)
    missed = 0
    for _ in range(60):
        sequence = MeanSequence()
        intervals = [sequence.update(float(value)) for value in generator.random(150) < 0.3]
        missed += any(not low <= 0.3 <= high for low, high in intervals)
        widths = [high - low for low, high in intervals]
        assert widths == sorted(widths, reverse=True)
    assert missed <= 7  # nominal 3 of 60; more than 7 has probability 1 %


def test_the_capital_against_a_mean_by_hand() -> None:
    """Two values and one candidate mean, written out from the paper's formulas."""
    sequence = MeanSequence(0.95)
    values, mean = (1.0, 0.0), 0.25
    for value in values:
        sequence.update(value)
    capital, total, squares = [math.log(0.5)] * 2, 0.5, 0.25
    for t, value in enumerate(values, start=1):
        bet = math.sqrt(2 * math.log(2 / 0.05) / (squares / t * t * math.log(1 + t)))
        capital[0] += math.log1p(min(bet, 0.5 / mean) * (value - mean))
        capital[1] += math.log1p(-min(bet, 0.5 / (1 - mean)) * (value - mean))
        total += value
        squares += (value - total / (t + 1)) ** 2
    assert sequence._capital[:, 250] == pytest.approx(capital)


def test_the_best_is_found_and_the_bad_are_dropped_first() -> None:
    generator = np.random.default_rng(0)
    rates = {"good": 0.9, "fair": 0.6, "bad": 0.1}
    race, dropped = BestPolicy(list(rates)), []
    for seed in range(400):
        before = race.left
        left = race.update({name: bool(generator.random() < rate) for name, rate in rates.items()})
        dropped += [(name, seed) for name in before if name not in left]
        if len(left) == 1:
            break
    assert race.left == ("good",)
    assert [name for name, _ in dropped] == ["bad", "fair"]


def test_only_those_left_need_an_outcome() -> None:
    race = BestPolicy(["a", "b", "c"])
    for _ in range(20):
        race.update({"a": True, "b": True, "c": False})
    assert race.left == ("a", "b")
    race.update({"a": True, "b": True})
    with pytest.raises(InvalidInput, match="no outcome of b"):
        race.update({"a": True})


def test_refuses() -> None:
    with pytest.raises(InvalidInput, match="at least two"):
        BestPolicy(["a"])
    with pytest.raises(InvalidInput, match="confidence is 1.5"):
        MeanSequence(1.5)
    with pytest.raises(InvalidInput, match="value is 2"):
        MeanSequence().update(2)
    with pytest.raises(InvalidInput, match="margin is 1"):
        SequentialComparison(margin=1)
    with pytest.raises(InvalidInput, match="b is -1"):
        SequentialComparison().update(1, -1)
