"""How the shipped gaits are found: `python -m barkyard.experts.hand.training [--right] [--out FILE] [--minutes M]`.

The whole hand is searched first, from a first guess. Then hands are visited round after round: of its own gait and
those of its most similar hands the best goes on, which carries good gaits from hand to hand. After each visit the file
is written; the same command goes on from it.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from barkyard.assets.robots.leap_hand.enumeration import load_split
from barkyard.assets.robots.leap_hand.variant import FULL, HandVariant
from barkyard.envs.tasks.dexterity.hand_rotate import GOOD_RATE
from barkyard.experts.hand.gait import GAITS_FILE, RIGHT_FILE, SCHEMA, Gait, difference, read_gaits
from barkyard.experts.hand.search import CHECK_SEEDS, LEFT, RIGHT, Budget, Measured, first_guess, measure, search
from barkyard.files import write_whole
from barkyard.provenance import versions

MOST_DROPS = 0.05
"""Of the episodes, for a gait to count as an expert."""
NEIGHBOURS = 3
"""How many similar hands a hand looks at."""
PICK_EPISODES, CHECK_EPISODES = 6, 32
_PICK_SEEDS = 500_000
DIGITS = 4
"""Of what was measured, in the file."""
FIRST = Budget(generations=25, starts=2, seconds=10.0, deviation=0.12)
FURTHER = Budget(generations=10, deviation=0.05)
"""A gait that is found from nothing is sought in short episodes, of which a cold start has enough; choices."""


@dataclass(frozen=True)
class Visit:
    """A hand's state.

    Attributes:
        gait: the best so far.
        rounds: visits to it.
        measured: on seeds the search did not see, with `moderate` randomisation.
        parent: the hand that the gait of the last improvement began with.
    """

    gait: Gait
    rounds: int
    measured: Measured
    parent: str

    @property
    def solved(self) -> bool:
        """Whether it is an expert: fast enough, and seldom drops."""
        return self.measured.yaw_rate >= GOOD_RATE and self.measured.drops <= MOST_DROPS

    @property
    def score(self) -> float:
        """What visits compare: the rate, less for drops [deg/s]."""
        return self.measured.yaw_rate - 20.0 * self.measured.drops


def visit(hand: str, visits: Mapping[str, Visit], budget: Budget, episodes: int, seed: int) -> Visit:
    """Go on with one hand: pick where from, search, measure; keep what is better.

    The gait is rounded as the file holds it, so that what is measured is what ships, and so that a search that is begun
    anew from the file finds the same as one that was not stopped.
    """
    old = visits.get(hand)
    gait, parent = _pick(hand, visits, budget, seed)
    gait = Gait.from_json(search(hand, gait, budget, seed).to_json())
    found = asdict(measure(hand, gait, episodes, budget.randomization, direction=budget.direction))
    measured = Measured(**{name: round(value, DIGITS) for name, value in found.items()})
    fresh = Visit(gait, (old.rounds if old else 0) + 1, measured, parent)
    if old is not None and old.score >= fresh.score:
        return Visit(old.gait, fresh.rounds, old.measured, old.parent)
    return fresh


def _pick(hand: str, visits: Mapping[str, Visit], budget: Budget, seed: int) -> tuple[Gait, str]:
    joints = HandVariant.from_name(hand).joints
    if not visits:
        return first_guess(hand, budget.direction), hand
    near = sorted(visits, key=lambda name: (difference(hand, name), -visits[name].score, name))[: NEIGHBOURS + 1]
    gaits = {name: visits[name].gait.for_joints(joints) for name in near}
    if len(gaits) == 1:
        return gaits[near[0]], near[0]
    rates = {
        name: measure(hand, gait, PICK_EPISODES, budget.randomization, _PICK_SEEDS + seed * 100, budget.direction)
        for name, gait in gaits.items()
    }
    best = max(near, key=lambda name: rates[name].yaw_rate - 20.0 * rates[name].drops)
    return gaits[best], best


def order(visits: Mapping[str, Visit], hands: Iterable[str]) -> list[str]:
    """Whom to visit: the whole hand until it turns, then unsolved hands, the least visited first."""
    if FULL.name not in visits or not visits[FULL.name].solved:
        return [FULL.name]
    waiting = [hand for hand in hands if hand not in visits or not visits[hand].solved]
    return sorted(waiting, key=lambda hand: visits[hand].rounds if hand in visits else 0)


def to_json(visits: Mapping[str, Visit], command: str) -> dict[str, Any]:
    """What the file holds."""
    hands = {
        hand: {
            "gait": each.gait.to_json(),
            "measured": asdict(each.measured),
            "rounds": each.rounds,
            "parent": each.parent,
        }
        for hand, each in sorted(visits.items())
    }
    about = f"whole episodes with seeds from {CHECK_SEEDS} on, randomization moderate"
    return {"schema": SCHEMA, "command": command, "measured_on": about, "versions": versions(), "hands": hands}


def read(path: Path) -> dict[str, Visit]:
    """The visits in a file; none where there is no file."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text())["hands"]
    return {
        hand: Visit(
            entry.gait,
            int(content[hand]["rounds"]),
            Measured(**{**entry.measured, "episodes": int(entry.measured["episodes"])}),
            str(content[hand]["parent"]),
        )
        for hand, entry in read_gaits(path).items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Search until every hand is solved or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--right", action="store_true", help="turn the cube to the right, as people who drive may")
    parser.add_argument("--out", type=Path, help="the file; the package's own by default")
    parser.add_argument("--minutes", type=float, default=180.0, help="when to stop, at the end of a visit")
    parser.add_argument("--hands", nargs="*", help="names; those of the split to train on by default")
    parser.add_argument("--episodes", type=int, default=CHECK_EPISODES, help="to measure a gait on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    hands, until = options.hands or load_split().train, time.monotonic() + 60 * options.minutes
    out = options.out or (RIGHT_FILE if options.right else GAITS_FILE)
    direction, visits = RIGHT if options.right else LEFT, read(out)
    command = "./scripts/train_hand_experts " + " ".join(sys.argv[1:] if arguments is None else arguments)
    while (waiting := order(visits, hands)) and time.monotonic() < until:
        hand = waiting[0]
        rounds = visits[hand].rounds if hand in visits else 0
        seed = 10_000 * options.seed + 100 * (list(hands).index(hand) if hand in hands else 0) + rounds % 100
        budget = replace(FURTHER if visits else FIRST, direction=direction)
        visits[hand] = visit(hand, visits, budget, options.episodes, seed)
        write_whole(out, (json.dumps(to_json(visits, command.strip()), indent=1) + "\n").encode())
        told = visits[hand].measured
        print(
            f"{hand} round {visits[hand].rounds}: {told.yaw_rate:.1f} deg/s, drops {told.drops:.2f}; "
            f"{sum(each.solved for each in visits.values())} solved, from {visits[hand].parent}",
            flush=True,
        )


if __name__ == "__main__":
    main()
