"""Jobs of a study, done by a fleet: each leaves what it returns in a file, and is done once."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from barkyard.cli.main import main as barkyard
from barkyard.files import write_whole
from barkyard.fleet import BACKENDS, Backend, Failure, Item, Plan, make_backend
from barkyard.fleet import run as run_plan

TIMEOUT = 24 * 3600.0
"""Seconds that a job may take."""


def run(*words: object) -> None:
    """Type a command. Raises RuntimeError where it fails."""
    code = barkyard([*map(str, words)])
    if code:
        raise RuntimeError(f"barkyard {' '.join(map(str, words))} ended with {code}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Who does the jobs."""
    parser.add_argument("--jobs", type=int, default=2, help="processes of this machine, one thread each")
    parser.add_argument("--backend", choices=BACKENDS, default="processes", help="who does the jobs")
    parser.add_argument("--address", default="auto", help="of the Ray cluster, with --backend ray")


def backend_of(options: argparse.Namespace) -> Backend:
    """Who does the jobs, as the options say."""
    return make_backend(options.backend, workers=options.jobs, address=options.address, timeout=TIMEOUT)


def do_all(do: Callable[[Any], Any], jobs: Mapping[Path, Any], backend: Backend) -> Iterator[Any]:
    """Do jobs that do not wait for one another.

    Args:
        do: a function of a module, which does one on one thread and returns what JSON can hold.
        jobs: for each, where that will be, absolute or from the folder that this process is in.
        backend: who does them.

    Yields:
        What each returned, in order.

    Raises:
        SystemExit: some failed three times, after all others were done.
    """
    items = (Item(i, (do, job), (), path.absolute()) for i, (path, job) in enumerate(jobs.items()))
    failures = []
    for outcome in run_plan(Plan(_perform, tuple(items)), backend):
        if isinstance(outcome, Failure):
            failures.append(outcome)
            print(f"{outcome.item.target.parent}: {outcome.reason}", file=sys.stderr, flush=True)
        else:
            yield json.loads(outcome.target.read_text())
    if failures:
        raise SystemExit(f"{len(failures)} of {len(jobs)} jobs failed; mend what is wrong, and run the study again")


def do_and_tell(do: Callable[[Any], Any], jobs: Mapping[Path, Any], backend: Backend) -> list[Any]:
    """As `do_all`, saying of each job that it is done."""
    found = []
    for line in do_all(do, jobs, backend):
        found.append(line)
        print(f"{len(found)} of {len(jobs)}: {json.dumps(line)[:200]}", file=sys.stderr, flush=True)
    return found


def write_report(out: Path, results: Any, text: str) -> None:
    """Write `out/results.json` and `out/report.md`, and print the latter."""
    write_whole(out / "results.json", (json.dumps(results, indent=1) + "\n").encode())
    write_whole(out / "report.md", text.encode())
    print(text)


def _perform(work: tuple[Callable[[Any], Any], Any], seeds: tuple[int, ...], target: Path) -> None:
    import torch

    torch.set_num_threads(1)
    do, job = work
    write_whole(target, (json.dumps(do(job), indent=1) + "\n").encode())
