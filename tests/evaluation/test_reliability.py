"""Reliability of stated probabilities, on statements counted by hand."""

import numpy as np
import pytest

from barkyard.errors import InvalidInput
from barkyard.evaluation.reliability import reliability, reliability_figure


def test_counted_by_hand() -> None:
    """Of 0.55, 0.2 (the other with 0.8), 0.8 and a tie at 1.0; 0.8 lies on an edge and belongs above it."""
    found = reliability(np.array([0.55, 0.2, 0.8, 1.0]), np.array([0.0, 0.0, 0.0, 0.5]))
    assert [each.count for each in found] == [1, 0, 0, 2, 0, 0, 1]
    assert (found[0].said, found[0].right) == (0.55, 0.0)
    assert (found[3].low, found[3].said, found[3].right) == (0.8, 0.8, 0.5)
    assert (found[-1].said, found[-1].right) == (1.0, 0.5)
    assert np.isnan(found[1].said)


def test_which_of_the_two_is_named_first_does_not_matter() -> None:
    generator = np.random.default_rng(0)
    said = generator.random(500)
    came = (generator.random(500) < said).astype(np.float64)
    for one, other in zip(reliability(said, came), reliability(1 - said, 1 - came), strict=True):
        assert one.count == other.count and one.right == other.right and one.said == pytest.approx(other.said)


def test_honest_statements_lie_on_the_diagonal() -> None:
    generator = np.random.default_rng(1)
    said = generator.random(40_000)
    for each in reliability(said, (generator.random(40_000) < said).astype(np.float64)):
        assert each.right == pytest.approx(each.said, abs=4 * np.sqrt(0.25 / each.count))


def test_refuses_what_is_no_probability() -> None:
    for said, came in (([1.2], [1.0]), ([0.5], [np.nan]), ([0.5, 0.5], [1.0])):
        with pytest.raises(InvalidInput, match="must be"):
            reliability(np.array(said), np.array(came))


def test_drawn_with_a_line_for_every_curve() -> None:
    bins = reliability(np.array([0.6, 0.9]), np.array([1.0, 1.0]))
    (axes,) = reliability_figure({"ours": bins}, "title").axes
    legend = axes.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["as said", "ours"]
