"""Faults done on purpose to collecting, training, evaluating and serving: what is lost, and what goes on by itself.

Every result after a fault must be that of an uninterrupted run, bit for bit. Prints a row for each fault as it is
done; ends with 1 where something was lost that must not be.
"""

import argparse
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from fault_suite.jobs import ENV, KEPT, MLP, Job, collector, evaluator, trainer
from fault_suite.kills import kill_job, strike_workers
from fault_suite.processes import begin, prepare
from fault_suite.server import kill_server
from fault_suite.surroundings import fill_disk, forbid_writing, spoil_policy, turn_clock, write_together
from fault_suite.table import Row, head

FAULTS = ("kill", "server", "worker", "hang", "disk", "read-only", "clock", "two", "nan")
JOBS = ("collector", "trainer", "evaluator", "server")
Try = Callable[[], Row]


def main(argv: Sequence[str] | None = None) -> int:
    """Do the faults and print the table; 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5, help="of each of collector, trainer, evaluator and server")
    parser.add_argument("--others", type=int, default=2, help="of each other fault and job")
    parser.add_argument("--timeout", type=float, default=60.0, help="of a worker that hangs [s]")
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=FAULTS)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    prepare()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        tries = plan(Path(folder), arguments)
        print(head(), flush=True)
        for attempt in tries:
            try:
                print(attempt(), flush=True)
            except PermissionError as error:
                print(f"not tried: {error}", file=sys.stderr)
            except Exception:
                failed += 1
                traceback.print_exc()
    return 1 if failed else 0


def plan(folder: Path, words: argparse.Namespace) -> list[Try]:
    """What is to be tried, with the demonstrations and the policy that it needs."""
    demonstrations, policy = folder / "demonstrations", folder / "policy"
    begin(["collect", ENV, "--episodes", 12, "--out", demonstrations, "--quiet", *KEPT], folder / "says").finish()
    learn: list[object] = [
        "train",
        demonstrations,
        "--policy",
        "locomotion-mlp",
        "--steps",
        20,
        "--batch-size",
        8,
        "--out",
        policy,
    ]
    begin([*learn, "--quiet", "--override", *MLP], folder / "says").finish()
    jobs = [job for job in (collector(), trainer(demonstrations), evaluator()) if job.name in words.jobs]
    workers = evaluator(6, ("processes", "--workers", 2, "--timeout", words.timeout))
    draw = np.random.default_rng(words.seed)

    def each(do: Callable[[Job, Path, int, np.random.Generator], Row], count: int) -> list[Try]:
        return [lambda job=job: do(job, folder / job.name, count, draw) for job in jobs]  # type: ignore[misc]

    def strike(how: signal.Signals) -> Row:
        return strike_workers(workers, folder / "workers", words.others, words.timeout, how)

    tries: dict[str, list[Try]] = {
        "kill": each(kill_job, words.kills),
        "server": [lambda: kill_server(policy, folder / "server", words.kills, draw)] if "server" in words.jobs else [],
        "worker": [lambda: strike(signal.SIGKILL)],
        "hang": [lambda: strike(signal.SIGSTOP)],
        "disk": each(fill_disk, words.others),
        "read-only": each(forbid_writing, words.others),
        "clock": each(turn_clock, words.others),
        "two": each(write_together, words.others),
        "nan": [lambda: spoil_policy(policy, folder / "bad")],
    }
    return [attempt for name in words.only for attempt in tries[name]]


if __name__ == "__main__":
    sys.exit(main())
