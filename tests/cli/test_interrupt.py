"""Ctrl-C in each long command: exit code 130, one line that says what is kept, and it is kept."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import pytest

from barkyard.cli.main import main
from barkyard.datasets import Dataset
from barkyard.evaluation import EvalResult

LIFT = "barkyard/Lift-v0"
PATIENCE_S = 90.0
# Where the tests run in the background, SIGINT is ignored, and their children inherit that.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from barkyard.cli import main
sys.exit(main())
"""


def interrupted(words: list[str], ready: Callable[[], bool]) -> str:
    """Starts a command, sends SIGINT once `ready`, and returns its last line on standard error."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not ready():
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < deadline, "the command did not get far enough"
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=PATIENCE_S)
    finally:
        child.kill()
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith("barkyard: interrupted. ")
    return last


def test_collect_keeps_what_is_finished_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "d"
    words = ["collect", LIFT, "--episodes", "100000", "--num-envs", "2", "--out", str(out)]
    line = interrupted(words, lambda: len(list(out.glob("data/*/*.parquet"))) >= 3)
    kept = Dataset.open(out).num_episodes
    assert kept >= 3
    assert f"keeps {kept} finished episodes" in line
    assert main(["collect", LIFT, "--episodes", str(kept + 1), "--out", str(out), "--quiet"]) == 0
    seeds = Dataset.open(out).seeds.tolist()
    assert seeds == sorted(set(seeds)) and len(seeds) == kept + 1


def test_evaluate_keeps_a_partial_result_and_no_whole_one(tmp_path: Path) -> None:
    out, films = tmp_path / "r.json", tmp_path / "films"
    words = ["evaluate", LIFT, "--actor", "expert", "--episodes", "100000", "--num-envs", "2", "--out", str(out)]
    line = interrupted([*words, "--videos", "1", "--video-dir", str(films)], lambda: any(films.glob("*.mp4")))
    assert not out.exists()
    partial = EvalResult.load(tmp_path / "r.partial.json")
    assert not partial.complete
    assert f"after {partial.num_episodes} of 100000 episodes" in line and "r.partial.json" in line


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # imageio leaves pipes open
def test_replay_leaves_the_dataset_and_no_half_video(demonstrations: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    words = ["replay", str(demonstrations), "--videos", "3", "--video-dir", str(films)]
    line = interrupted(words, lambda: films.is_dir() and any(films.iterdir()))
    assert "the dataset is untouched" in line
    lengths = Dataset.open(demonstrations).lengths
    for film in films.iterdir():  # finished before the signal came
        assert len(iio.imread(film)) >= lengths[int(film.stem.removeprefix("episode_"))]


def test_train_keeps_the_last_step(demonstrations: Path, tmp_path: Path) -> None:
    out = tmp_path / "p"
    words = ["train", str(demonstrations), "--out", str(out), "--batch-size", "8", "--override"]
    words += ["network.widths=[8,16]", "training.warmup_steps=1"]
    line = interrupted([*words, "--steps", "100000"], lambda: (out / "log.jsonl").exists() and log_lines(out) > 0)
    assert f"{out / 'last'} holds the training so far" in line and "--resume" in line
    assert (out / "last" / "config.json").is_file()


def log_lines(out: Path) -> int:
    """Lines in a training's log."""
    return (out / "log.jsonl").read_text().count("\n")
