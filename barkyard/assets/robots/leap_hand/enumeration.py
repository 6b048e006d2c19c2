"""All hands of GET-Zero's grammar, and which of them are for training, validation and test.

The grammar is that of Patel and Song (arXiv 2407.15002) as their release has it: the thumb has its outer 4 or 3 links,
each finger its outer 4, 3, 2, 1 or none, and the fingers together at least three joints or one finger with two.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from barkyard.assets.robots.leap_hand.numbers import EXTENSION_MM, FINGERS, LINKS
from barkyard.assets.robots.leap_hand.variant import FULL, HandLink, HandVariant

SPLIT_FILE = Path(__file__).with_name("split.json")
SPLIT_SEED = 0
TRAINING_HANDS, OTHER_HANDS = 44, 10
"""How many hands to train on, and in each of the other sets: the paper's numbers."""
TRAINING_JOINTS, OTHER_JOINTS = (9, 16), (8, 13)
"""Fewest and most joints of the hands to train on, and of those with a graph that is not among them: the paper's."""
EXTENSIONS, PER_FINGER = (3, 5), 2
"""Fewest and most longer links of a hand, and most of a finger."""
_TIP = 4


@dataclass(frozen=True)
class Split:
    """Names of hands.

    Attributes:
        seed: it was drawn from.
        train: the whole hand first.
        validation: graphs that are not in `train`; checkpoints are chosen on these alone.
        test_graph: graphs that are in neither.
        test_length: hands of `train` with longer links.
        test_both: hands of `test_graph` with longer links.
    """

    seed: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test_graph: tuple[str, ...]
    test_length: tuple[str, ...]
    test_both: tuple[str, ...]


def graph_variants() -> tuple[HandVariant, ...]:
    """The 236 hands that differ in which links they have, the whole hand first."""
    hands = []
    for thumb in (4, 3):
        for index, middle, ring in itertools.product(range(4, -1, -1), repeat=3):
            if index + middle + ring >= 3 or max(index, middle, ring) >= 2:
                hands.append(HandVariant.from_counts(index, middle, ring, thumb))
    return tuple(hands)


def length_variants(hand: HandVariant) -> Iterator[HandVariant]:
    """Every way to make links of `hand` 15 mm longer that GET-Zero's rule allows.

    Three to five links are longer, fewer only where that cannot be; at most two of a finger, and of one finger only;
    and at least two of them, or one where that cannot be, are not fingertips.
    """
    longer = [link for link in hand.links if LINKS[FINGERS[link.finger]][link.number - 1].extensible]
    for least_inner in (2, 1, 0):
        for least in range(EXTENSIONS[0], 0, -1):
            chosen = [links for links in _choices(longer, least) if _inner(links) >= least_inner]
            if chosen:
                yield from (_with_longer(hand, links) for links in chosen)
                return


def _choices(links: Sequence[HandLink], least: int) -> Iterator[tuple[HandLink, ...]]:
    for count in range(least, EXTENSIONS[1] + 1):
        for chosen in itertools.combinations(links, count):
            per_finger = [sum(link.finger == finger for link in chosen) for finger in range(len(FINGERS))]
            if max(per_finger) <= PER_FINGER and per_finger.count(PER_FINGER) <= 1:
                yield chosen


def _inner(links: Sequence[HandLink]) -> int:
    return sum(link.number != _TIP for link in links)


def _with_longer(hand: HandVariant, longer: Sequence[HandLink]) -> HandVariant:
    return HandVariant(tuple(replace(link, longer_mm=EXTENSION_MM) if link in longer else link for link in hand.links))


def draw_split(seed: int) -> Split:
    """Draw the sets; no graph is in two of `train`, `validation` and `test_graph`."""
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    hands = [graph_variants()[i] for i in generator.permutation(len(graph_variants())).tolist()]
    train = [FULL, *_of_size([hand for hand in hands if hand != FULL], TRAINING_JOINTS)[: TRAINING_HANDS - 1]]
    others = _of_size([hand for hand in hands if hand not in train], OTHER_JOINTS)
    validation, test = others[:OTHER_HANDS], others[OTHER_HANDS : 2 * OTHER_HANDS]
    longer = [train[i] for i in generator.choice(len(train), OTHER_HANDS, replace=False)]

    def names(chosen: Sequence[HandVariant]) -> tuple[str, ...]:
        return tuple(hand.name for hand in chosen)

    def lengthened(chosen: Sequence[HandVariant]) -> tuple[str, ...]:
        ways = [list(length_variants(hand)) for hand in chosen]
        return names([each[int(generator.integers(len(each)))] for each in ways])

    return Split(seed, names(train), names(validation), names(test), lengthened(longer), lengthened(test))


def _of_size(hands: Sequence[HandVariant], joints: tuple[int, int]) -> list[HandVariant]:
    return [hand for hand in hands if joints[0] <= len(hand.links) <= joints[1]]


@lru_cache
def load_split() -> Split:
    """The sets that every published number is about, from `split.json`."""
    values: dict[str, Any] = json.loads(SPLIT_FILE.read_text())
    chosen: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
    return Split(**chosen)
