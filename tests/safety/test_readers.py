"""Whatever is in a file or a message, a reader gives something or raises one of our errors.

Each input is a good specimen, changed by a generator with the input's number for a seed. `--slow` tries 100,000 of
each reader, shared out among the files where one reader reads several; BARKYARD_FUZZ gives another number.
"""

import hashlib
import json
import os
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.agility.course_file import load_course, save_course
from barkyard.agility.layout import Course
from barkyard.agility.log import Trajectory
from barkyard.assets.calibration import Calibration, HeldOut, Parameter, SourceLog
from barkyard.calibration.excitation import CommandFile, design
from barkyard.calibration.logs import RobotLog
from barkyard.datasets import Dataset, robomimic
from barkyard.datasets import minari as minari_format
from barkyard.datasets.hdf5 import ReadingProcess
from barkyard.datasets.lerobot import read_lerobot, read_lerobot_info
from barkyard.datasets.minari import read_minari, write_minari
from barkyard.datasets.robomimic import read_robomimic, write_robomimic
from barkyard.embodiment import Embodiment
from barkyard.errors import BarkyardError, InvalidInput
from barkyard.evaluation import EpisodeRecord, EvalResult
from barkyard.evaluation.trials import read_real_trials
from barkyard.policies.checkpoint import CONFIG, WEIGHTS, load_policy
from barkyard.policies.trainer import STATE, TENSORS, Trainer
from barkyard.policies.training_config import TrainingConfig
from barkyard.policies.training_data import TrainingData
from barkyard.serving.messages import PROTOCOL, pack, read_answer, read_greeting, read_request, unpack
from barkyard.teleop.browser.messages import parse_message
from barkyard.teleop.keys import load_keys
from barkyard.teleop.spacemouse_reports import decode_report, decode_spacenav
from barkyard.untrusted import parse_json
from tests.datasets.foreign_lerobot import write_lerobot
from tests.policies.synthetic import BODY, TINY_TRANSFORMER, make_tiny, write_dataset
from tests.safety.mutations import mutate_bytes, mutate_json

QUICK, SLOW = 150, 100_000
SEVERAL_FILES = ("dataset", "checkpoint", "training", "minari", "lerobot")
"""Begin the names of the files that one reader reads together."""
HARDLY_REFUSED = ("hid", "dataset-stats", "dataset-tasks", "dataset-episodes")
"""A report of any bytes is one; metadata of a dataset that is damaged is made anew from its data."""
Read = Callable[[bytes], object]
Mutate = Callable[[bytes, random.Random], bytes]
SHAPES = {"position": (2,), "scan": (2, 3)}


def of_file(path: Path, load: Callable[[Path], object]) -> Read:
    def read(content: bytes) -> object:
        path.write_bytes(content)
        return load(path)

    return read


def result(folder: Path) -> tuple[bytes, Mutate, Read]:
    records = tuple(EpisodeRecord(10**9 + i, i > 0, 1.0, 9, "success" if i else "failure", 0.5) for i in range(3))
    path = folder / "result.json"
    EvalResult("barkyard/Lift-v0", {"reward": "dense"}, "expert", records, 3, 1.0).save(path)
    return path.read_bytes(), mutate_json, of_file(path, EvalResult.load)


def calibration(folder: Path) -> tuple[bytes, Mutate, Read]:
    path = folder / "calibration.json"
    Calibration(
        robot="panda",
        model="0123456789abcdef",
        parameters=(Parameter("joint1", "damping", 0.7, (0.5, 0.9)), Parameter("link7", "mass", 1.0)),
        source="surrogate",
        logs=(SourceLog("chirp.npz", "ab" * 32),),
        held_out=HeldOut(0.01, (("joint1", 0.008),), ("steps.npz",)),
        samples=((0.6, 0.9), (0.8, 1.1)),
    ).save(path)
    return path.read_bytes(), mutate_json, of_file(path, Calibration.load)


def trials_json(folder: Path) -> tuple[bytes, Mutate, Read]:
    trials = [{"policy": "a", "task": "t", "trial": i, "success": i % 2 == 0} for i in range(4)]
    content = {"schema": "barkyard/real-trials-v1", "source": "real", "trials": trials}
    return json.dumps(content).encode(), mutate_json, of_file(folder / "trials.json", read_real_trials)


def trials_csv(folder: Path) -> tuple[bytes, Mutate, Read]:
    content = b"policy,task,trial,success\na,t,1,1\na,t,2,0\nb,t,1,yes\n"
    return content, mutate_bytes, of_file(folder / "trials.csv", read_real_trials)


def run_csv(folder: Path) -> tuple[bytes, Mutate, Read]:
    content = b"time,base_x,base_y\n0,1,2\n0.1,1.5,2\n0.2,2,2\n"
    return content, mutate_bytes, of_file(folder / "run.csv", Trajectory.load)


def run_npz(folder: Path) -> tuple[bytes, Mutate, Read]:
    path = folder / "run.npz"
    whole = folder / "whole.csv"
    whole.write_bytes(run_csv(folder)[0])
    Trajectory.load(whole).save(path)
    return path.read_bytes(), mutate_bytes, of_file(path, Trajectory.load)


def servo_csv(folder: Path) -> tuple[bytes, Mutate, Read]:
    content = b"t,hip.cmd,hip.meas\n0,0.1,0.1\n0.02,0.2,0.15\n0.04,0.2,0.2\n"
    return content, mutate_bytes, of_file(folder / "servo.csv", RobotLog.load)


def servo_npz(folder: Path) -> tuple[bytes, Mutate, Read]:
    path, times = folder / "servo.npz", np.arange(5) * 0.02
    angles = np.zeros((5, 2))
    np.savez_compressed(path, t=times, q_cmd=angles, q_meas=angles, joints=np.array(["hip", "knee"]))
    return path.read_bytes(), mutate_bytes, of_file(path, RobotLog.load)


def commands(folder: Path, ending: str) -> tuple[bytes, Mutate, Read]:
    path = folder / f"commands.{ending}"
    design("barkour_vb", duration=10.0).save(path)
    return path.read_bytes(), mutate_bytes, of_file(path, CommandFile.load)


def checkpoint(folder: Path, name: str) -> tuple[bytes, Mutate, Read]:
    """With weights that are changed, the configuration's hash of them is changed too, or nothing else would be read."""
    make_tiny("transformer").save(folder / "policy")
    path, config = folder / "policy" / name, folder / "policy" / CONFIG
    described = json.loads(config.read_text())

    def load(_: Path) -> object:
        if name == WEIGHTS:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            config.write_text(json.dumps({**described, "weights_sha256": digest}))
        return load_policy(folder / "policy")

    return path.read_bytes(), mutate_json if name == CONFIG else mutate_bytes, of_file(path, load)


def training(folder: Path, name: str) -> tuple[bytes, Mutate, Read]:
    data = TrainingData(Dataset.open(write_dataset(folder / "dataset", 4)), TINY_TRANSFORMER, None, 0.3, 0)
    settings = TrainingConfig(steps=2, batch_size=4, learning_rate=1e-3, warmup_steps=0)
    trainer = Trainer(make_tiny("transformer"), data, settings, 0)
    trainer.advance()
    trainer.save(folder / "last", {"losses": []})
    path = folder / "last" / name
    mutate = mutate_json if name == STATE else mutate_bytes
    return path.read_bytes(), mutate, of_file(path, lambda _: trainer.restore(folder / "last"))


def dataset(folder: Path, part: str) -> tuple[bytes, Mutate, Read]:
    root = write_dataset(folder / "dataset", 2)
    (path,) = sorted(root.glob(part))[:1]
    whole = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}

    def read(content: bytes) -> object:
        for file, good in whole.items():
            if file != path and (not file.exists() or file.read_bytes() != good):
                file.write_bytes(good)
        path.write_bytes(content)
        return list(Dataset.open(root))

    return path.read_bytes(), mutate_json if part.endswith("json") else mutate_bytes, read


def hid(folder: Path) -> tuple[bytes, Mutate, Read]:
    def read(content: bytes) -> object:
        with suppress(BarkyardError):
            decode_spacenav(content)
        return decode_report(content)

    return bytes(range(1, 33)), mutate_bytes, read


def page(folder: Path) -> tuple[bytes, Mutate, Read]:
    content = b'{"kind": "pad", "axes": [0, 0.5, -1, 1], "buttons": [0, 3], "id": 7, "key": "a", "down": true}'
    return content, mutate_json, lambda content: parse_message(content.decode("utf-8", "replace"))


def policy_request(folder: Path) -> tuple[bytes, Mutate, Read]:
    message = {"position": np.zeros(2, np.float32), "scan": np.zeros((2, 2, 3)), "@time": 1.5, "@seed": 3}
    return pack(message), mutate_bytes, lambda content: read_request(unpack(content), SHAPES, 2)


def policy_answer(folder: Path) -> tuple[bytes, Mutate, Read]:
    message = {"actions": np.zeros((4, 2), np.float32), "times": np.arange(4) * 0.05, "server_timing": {"batch": 1}}
    return pack(message), mutate_bytes, lambda content: read_answer(unpack(content), 2)


def policy_greeting(folder: Path) -> tuple[bytes, Mutate, Read]:
    features = {"observations": {"position": [2], "scan": [2, 3]}, "action_dim": 2, "control_dt": 0.05}
    message = {"protocol": PROTOCOL, "features": features, "observation_steps": 2, "action_steps": 4}
    return pack(message), mutate_bytes, lambda content: read_greeting(unpack(content))


def course(folder: Path) -> tuple[bytes, Mutate, Read]:
    path = folder / "course.json"
    save_course(Course.standard(), path)
    return path.read_bytes(), mutate_json, of_file(path, load_course)


def keys(folder: Path) -> tuple[bytes, Mutate, Read]:
    content = b'{"schema": 1, "keys": {"w": "forward", "up": "none"}}'
    return content, mutate_json, of_file(folder / "keys.json", load_keys)


def embodiment(folder: Path) -> tuple[bytes, Mutate, Read]:
    def read(content: bytes) -> object:
        try:
            values = parse_json(content)
        except ValueError as error:
            raise InvalidInput(str(error)) from error
        return Embodiment.from_json(values)

    return json.dumps(BODY.to_json()).encode(), mutate_json, read


def demonstrations_hdf5(folder: Path) -> tuple[bytes, Mutate, Read]:
    path = folder / "demonstrations.hdf5"
    write_robomimic(Dataset.open(write_dataset(folder / "dataset", 1)), path)
    return path.read_bytes(), mutate_bytes, of_file(path, lambda _: list(read_robomimic(path)))


def minari(folder: Path, name: str) -> tuple[bytes, Mutate, Read]:
    root = folder / "it-v0"
    write_minari(Dataset.open(write_dataset(folder / "dataset", 1)), root)
    path = root / "data" / name
    mutate = mutate_json if name.endswith("json") else mutate_bytes
    return path.read_bytes(), mutate, of_file(path, lambda _: list(read_minari(root)))


def lerobot(folder: Path, part: str) -> tuple[bytes, Mutate, Read]:
    root = write_lerobot(folder / "it", "v2.1", "image")
    (path,) = sorted(root.glob(part))[:1]
    mutate = mutate_json if part.endswith(".json") else mutate_bytes
    return path.read_bytes(), mutate, of_file(path, lambda _: list(read_lerobot(read_lerobot_info(root), "sim")))


READERS: dict[str, Callable[[Path], tuple[bytes, Mutate, Read]]] = {
    "result": result,
    "calibration": calibration,
    "trials-json": trials_json,
    "trials-csv": trials_csv,
    "run-csv": run_csv,
    "run-npz": run_npz,
    "servo-csv": servo_csv,
    "servo-npz": servo_npz,
    "commands-csv": lambda folder: commands(folder, "csv"),
    "commands-npz": lambda folder: commands(folder, "npz"),
    "checkpoint-config": lambda folder: checkpoint(folder, CONFIG),
    "checkpoint-weights": lambda folder: checkpoint(folder, WEIGHTS),
    "dataset-info": lambda folder: dataset(folder, "meta/info.json"),
    "dataset-data": lambda folder: dataset(folder, "data/*/*.parquet"),
    "dataset-stats": lambda folder: dataset(folder, "meta/stats.json"),
    "dataset-tasks": lambda folder: dataset(folder, "meta/tasks.parquet"),
    "dataset-episodes": lambda folder: dataset(folder, "meta/episodes/*/*.parquet"),
    "demonstrations-hdf5": demonstrations_hdf5,
    "minari-metadata": lambda folder: minari(folder, "metadata.json"),
    "minari-data": lambda folder: minari(folder, "main_data.hdf5"),
    "lerobot-info": lambda folder: lerobot(folder, "meta/info.json"),
    "lerobot-episodes": lambda folder: lerobot(folder, "meta/episodes.jsonl"),
    "lerobot-data": lambda folder: lerobot(folder, "data/*/*.parquet"),
    "training-state": lambda folder: training(folder, STATE),
    "training-tensors": lambda folder: training(folder, TENSORS),
    "course": course,
    "embodiment": embodiment,
    "keys": keys,
    "hid": hid,
    "page": page,
    "policy-request": policy_request,
    "policy-answer": policy_answer,
    "policy-greeting": policy_greeting,
}


def fuzz(name: str, folder: Path, count: int) -> int:
    """How many of `count` inputs were refused; any other error than ours is raised, with the input's number."""
    good, mutate, read = READERS[name](folder)
    read(good)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is missing in a dataset
        for number in range(count):
            content = mutate(good, random.Random(number))
            try:
                read(content)
            except BarkyardError:
                refused += 1
            except BaseException as error:
                error.add_note(f"{name}, input {number}: {content[:400]!r}")
                raise
    return refused


@pytest.fixture
def fast_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible."""
    memory = Path("/dev/shm")
    folder = memory / f"barkyard-{os.getpid()}" if os.access(memory, os.W_OK) else tmp_path
    folder.mkdir(exist_ok=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def one_reading_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of HDF5 files, one for all inputs, and one that does not wait long."""
    with ReadingProcess(longest=2.0) as process:
        for reader in (robomimic, minari_format):
            monkeypatch.setattr(reader, "read_apart", process.read)
        yield


@pytest.mark.usefixtures("one_reading_process")
@pytest.mark.parametrize("name", READERS)
def test_readers_raise_only_our_errors(name: str, fast_folder: Path, request: Any) -> None:
    count = QUICK
    if request.config.getoption("--slow"):
        kind = name.split("-")[0]
        count = SLOW // (sum(other.startswith(kind) for other in READERS) if kind in SEVERAL_FILES else 1)
    count = int(os.environ.get("BARKYARD_FUZZ", count))
    refused = fuzz(name, fast_folder, count)
    assert refused > count // 50 or name in HARDLY_REFUSED, "the inputs are hardly changed"


def test_a_reader_that_lets_others_through_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "json", lambda folder: (b'{"a": 1}', mutate_json, json.loads))
    with pytest.raises(ValueError, match="."):
        fuzz("json", tmp_path, 100)
