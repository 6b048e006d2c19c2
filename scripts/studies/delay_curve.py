"""Success of a policy whose chunks are late, over the delay, with and without real-time chunking.

Each point is an evaluation by `barkyard evaluate --delay`, with the same seeds; what is there is not made again.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from barkyard.cli.main import main as barkyard
from barkyard.evaluation.result import EvalResult

MANNERS = ("switch", "real-time")
"""How a late chunk takes over: it just does, or it was predicted to go on from the old one."""


@dataclass(frozen=True)
class Point:
    """One evaluation of a curve."""

    manner: str
    delay: int
    result: EvalResult


def delay_curve(
    checkpoint: Path,
    env: str,
    out: Path,
    *,
    delays: Sequence[int] = range(5),
    manners: Sequence[str] = MANNERS,
    words: Sequence[str] = (),
) -> Iterator[Point]:
    """Evaluate at every delay. Results are `out/<manner>_<delay>.json`.

    Args:
        checkpoint: the policy.
        env: the environment's id.
        out: folder of the results.
        delays: control steps by which chunks are late. Without delay, both manners that there are give one point each.
        manners: of `MANNERS`.
        words: further words for `barkyard evaluate`.

    Raises:
        SystemExit: an evaluation failed.
    """
    for manner in manners:
        for delay in delays:
            path = out / f"{manner}_{delay}.json"
            if not path.exists():
                late = ["--delay", str(delay), *(["--real-time-chunking"] if manner == "real-time" else [])]
                command = ["evaluate", env, "--actor", str(checkpoint), "--out", str(path), *late, *words, "--quiet"]
                if code := barkyard(command):
                    raise SystemExit(f"barkyard {' '.join(command)} ended with {code}")
            yield Point(manner, delay, EvalResult.load(path))


def table(points: Sequence[Point]) -> str:
    """The curve in Markdown: successes with their exact 95 % interval, and the mean length of an episode."""
    lines = ["| delay [steps] | chunks | success | 95 % interval | mean steps |", "|---|---|---|---|---|"]
    for point in points:
        result = point.result
        low, high = (100 * bound for bound in result.interval)
        steps = sum(record.length for record in result.episodes) / result.num_episodes
        lines.append(
            f"| {point.delay} | {point.manner} | {result.num_successes}/{result.num_episodes} | "
            f"{low:.1f} - {high:.1f} % | {steps:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write OUT/curve.md and OUT/curve.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("env", help="the environment's id")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--delays", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--manners", nargs="+", choices=MANNERS, default=list(MANNERS))
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--num-envs", type=int, default=32)
    options = parser.parse_args()
    words = ["--episodes", str(options.episodes), "--num-envs", str(options.num_envs)]
    points = []
    for point in delay_curve(
        options.checkpoint, options.env, options.out, delays=options.delays, manners=options.manners, words=words
    ):
        points.append(point)
        print(f"delay {point.delay}, {point.manner}: {point.result.success_rate:.3f}", file=sys.stderr, flush=True)
    curve = [
        {"delay": p.delay, "manner": p.manner, "success": p.result.success_rate, "interval": list(p.result.interval)}
        for p in points
    ]
    (options.out / "curve.json").write_text(json.dumps(curve, indent=1) + "\n")
    (options.out / "curve.md").write_text(table(points))
    print(table(points), end="")


if __name__ == "__main__":
    main()
