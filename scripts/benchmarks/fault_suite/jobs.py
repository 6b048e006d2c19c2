"""The jobs that faults are done to: collecting, training and evaluating, small, and what they must leave."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from barkyard.evaluation import EvalResult
from fault_suite.processes import Command, begin

ENV: Final = "barkyard/QuadrupedVelocity-v0"
ACTOR: Final = "random"
"""Its episodes are short, and so is its start."""
KEPT: Final = ["--actor", ACTOR, "--keep-failures"]
UNET: Final = ["network.widths=[8,16]", "network.step_embedding=8", "training.warmup_steps=1"]
MLP: Final = ["network.widths=[16]", "training.warmup_steps=1"]
Left = dict[str, Any]
"""What a job left, by name; equal for two jobs where they left the same, bit for bit."""


@dataclass(frozen=True)
class Job:
    """A command that goes on where it was stopped.

    Attributes:
        name: of who does it.
        command: how a person types it.
        words: of the command, by where its result goes and whether it is to go on.
        left: what it left there.
        progress: how much of it is safe on disk now, as the command counts.
        unit: of `progress`.
        at_most: units that a kill may cost.
    """

    name: str
    command: str
    words: Callable[[Path, bool], list[object]]
    left: Callable[[Path], Left]
    progress: Callable[[Path], int]
    unit: str
    at_most: int

    def begin(self, out: Path, before: Callable[[], None] | None = None, says: str = "says") -> Command:
        """Begin it, or go on with it, with the result at `out`; what it says is a file beside the folder of `out`."""
        return begin(self.words(out, out.exists()), out.parents[1] / says, before)

    def measure(self, out: Path) -> tuple[Left, float]:
        """Do it in one go: what it leaves, and how many seconds it takes."""
        began = time.monotonic()
        self.begin(out).finish()
        return self.left(out), time.monotonic() - began


def collector(episodes: int = 8) -> Job:
    """Episodes into a dataset."""

    def words(out: Path, going_on: bool) -> list[object]:
        return ["collect", ENV, "--episodes", episodes, "--num-envs", 1, "--no-states", "--out", out, "--quiet", *KEPT,
                "--env-kwargs", "num_threads=1"]  # fmt: skip

    def progress(out: Path) -> int:
        return len(list(out.glob("data/*/*.parquet")))

    return Job("collector", "the same `barkyard collect`", words, hashes, progress, "episodes", 1)


def trainer(dataset: Path, steps: int = 300, save_every: int = 50) -> Job:
    """A diffusion policy from `dataset`."""

    def words(out: Path, going_on: bool) -> list[object]:
        resume = ["--resume"] if going_on else []
        return ["train", dataset, "--policy", "diffusion-unet", "--steps", steps, "--batch-size", 8, "--save-every",
                save_every, "--out", out, "--quiet", *resume, "--override", *UNET]  # fmt: skip

    def left(out: Path) -> Left:
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        tensors = {name: digest for name, digest in hashes(out).items() if name.endswith(".safetensors")}
        return tensors | {"log.jsonl": [{**line, "seconds": 0} for line in lines]}

    def progress(out: Path) -> int:
        for folder in (out / "last", out / "last.previous"):
            if (folder / "training.json").exists():
                return int(json.loads((folder / "training.json").read_text())["step"])
        return 0

    command = "the same `barkyard train` with `--resume`"
    return Job("trainer", command, words, left, progress, "steps", save_every)


def evaluator(episodes: int = 8, backend: Iterable[object] = ("local",)) -> Job:
    """An evaluation in items of one episode."""

    def words(out: Path, going_on: bool) -> list[object]:
        return ["evaluate", ENV, "--actor", ACTOR, "--episodes", episodes, "--num-envs", 1, "--out", out, "--quiet",
                "--env-kwargs", "num_threads=1", "--backend", *backend]  # fmt: skip

    def left(out: Path) -> Left:
        return {"fingerprint": EvalResult.load(out).fingerprint}

    def progress(out: Path) -> int:
        return episodes if out.exists() else len(list(out.with_name(f"{out.name}.items").glob("[!.]*")))

    return Job("evaluator", "the same `barkyard evaluate --backend ...`", words, left, progress, "episodes", 1)


def output(job: Job, folder: Path) -> Path:
    """Where the result of a job goes in a folder."""
    return folder / ("result.json" if job.name == "evaluator" else "out")


def hashes(folder: Path) -> Left:
    """A hash of each file that is not hidden."""
    files = [file for file in sorted(folder.rglob("[!.]*")) if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
