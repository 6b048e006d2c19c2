"""Windows per second of `barkyard.datasets.Windows` against robomimic's `SequenceDataset` on the same data.

Where robomimic does not import, its logic in plain h5py stands in. All contenders give torch tensors, and all are
checked to give the same actions and observations before anything is timed. robomimic's windows hold 16 observations
where ours hold the 2 that a policy reads; it offers no fewer for 16 actions.
"""

import argparse
import contextlib
import importlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from barkyard.datasets import Dataset, DatasetWriter, Windows
from barkyard.episode import Episode

PARTS = {
    "joint_pos": 7,
    "joint_vel": 7,
    "joint_target": 7,
    "last_action": 7,
    "gripper_pos": 2,
    "gripper_vel": 2,
    "tcp_pos_world": 3,
    "tcp_quat_world": 4,
    "object_pos_world": 3,
    "object_quat_world": 4,
    "object_to_tcp": 3,
}
OBSERVATION_STEPS, HORIZON = 2, 16
BATCH_SIZES = (64, 256)
Draw = Callable[[NDArray[np.intp]], Mapping[str, Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="of drawing, for each contender in each repeat")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder) / "native", arguments.episodes)
        exported = Path(folder) / "robomimic.hdf5"
        export_hdf5(dataset, exported)
        windows = Windows(dataset, OBSERVATION_STEPS, HORIZON, 1 - OBSERVATION_STEPS, list(PARTS))
        references, source = reference_contenders(exported)
        contenders = {"barkyard Windows.gather": native(windows)} | references
        check_agreement(contenders, len(windows))
        print(
            f"{dataset.num_episodes} episodes, {len(windows)} windows of {OBSERVATION_STEPS} x {sum(PARTS.values())} "
            f"observation floats in {len(PARTS)} parts and {HORIZON} x {dataset.action_size} actions; 1 thread; "
            f"{arguments.repeats} interleaved repeats; reference: {source}"
        )
        for batch_size in BATCH_SIZES:
            rates = measure(contenders, len(windows), batch_size, arguments.repeats, arguments.seconds)
            print_table(batch_size, rates)
    return 0


def write_dataset(path: Path, episodes: int) -> Dataset:
    """Smooth random motions of 50 to 70 steps, through our own writer."""
    rng = np.random.default_rng(0)
    made = [make_episode(seed, int(rng.integers(50, 71)), rng) for seed in range(episodes)]
    with DatasetWriter.create(path, made[0]) as writer:
        for episode in made:
            writer.write(episode)
    return Dataset.open(path)


def make_episode(seed: int, length: int, rng: np.random.Generator) -> Episode:
    """A random walk in every element."""

    def walk(steps: int, size: int) -> NDArray[np.float32]:
        positions: NDArray[np.float64] = np.cumsum(rng.normal(scale=0.02, size=(steps, size)), axis=0)
        return positions.astype(np.float32)

    return Episode(
        observations={name: walk(length + 1, size) for name, size in PARTS.items()},
        actions=np.clip(walk(length, 7), -1, 1),
        rewards=np.zeros(length, dtype=np.float32),
        success=True,
        end="success",
        dt=0.05,
        seed=seed,
        env_id="barkyard/Lift-v0",
        env_kwargs={},
        acted_by=np.full(length, "expert"),
        states=walk(length + 1, 45).astype(np.float64),
    )


def export_hdf5(dataset: Dataset, path: Path) -> None:
    """The same data in robomimic's layout."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["total"] = dataset.num_frames
        for i, episode in enumerate(dataset):
            demo = data.create_group(f"demo_{i}")
            demo.attrs["num_samples"] = episode.length
            demo.create_dataset("actions", data=episode.actions)
            for name, values in episode.observations.items():
                demo.create_dataset(f"obs/{name}", data=values[:-1])


def native(windows: Windows) -> Draw:
    """Our windows as torch tensors."""

    def draw(indices: NDArray[np.intp]) -> dict[str, Any]:
        batch = windows.gather(indices)
        observations = {name: torch.from_numpy(values) for name, values in batch.observations.items()}
        actions, is_pad = torch.from_numpy(batch.actions), torch.from_numpy(batch.is_pad)
        return {"obs": observations, "actions": actions, "is_pad": is_pad}

    return draw


def reference_contenders(path: Path) -> tuple[dict[str, Draw], str]:
    """The references, and which they are."""
    try:
        robomimic = importlib.import_module("robomimic")  # no dependency of ours: only where it happens to be
        obs_utils = importlib.import_module("robomimic.utils.obs_utils")
        sequence_dataset = importlib.import_module("robomimic.utils.dataset").SequenceDataset
    except ImportError as error:
        cached, opened = HdfWindows(path, cached=True), HdfWindows(path, cached=False)
        whole = [cached[i] for i in range(len(cached))]
        drawn: dict[str, Draw] = {
            "h5py, every window cached": lambda indices: default_collate([whole[i] for i in indices]),
            "h5py, episodes in memory": lambda indices: default_collate([cached[int(i)] for i in indices]),
            "h5py, from the file": lambda indices: default_collate([opened[int(i)] for i in indices]),
        }
        return drawn, f"its logic in h5py {h5py.__version__} (robomimic: {error})"

    def dataset(mode: str | None) -> Draw:
        sequences = sequence_dataset(
            str(path),
            obs_keys=tuple(PARTS),
            dataset_keys=("actions",),
            frame_stack=OBSERVATION_STEPS,
            seq_length=HORIZON - OBSERVATION_STEPS + 1,
            get_pad_mask=True,
            hdf5_cache_mode=mode,
            load_next_obs=False,
        )
        return lambda indices: default_collate([sequences[int(i)] for i in indices])

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        obs_utils.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": list(PARTS)}})
        modes = {str(mode): dataset(mode) for mode in ("all", "low_dim", None)}
    named = {f"robomimic, hdf5_cache_mode {mode}": draw for mode, draw in modes.items()}
    return named, f"robomimic {robomimic.__version__}"


class HdfWindows:
    """The logic of robomimic's SequenceDataset: slice, then repeat the ends, one window and one part at a time."""

    def __init__(self, path: Path, *, cached: bool) -> None:
        self._file = h5py.File(path, "r")
        demos = sorted(self._file["data"], key=lambda name: int(name.removeprefix("demo_")))
        self._demos: dict[str, Any] = {name: self._file["data"][name] for name in demos}
        self._lengths = {name: int(demo.attrs["num_samples"]) for name, demo in self._demos.items()}
        if cached:
            self._demos = {
                name: {key: demo[key][()] for key in ("actions", *(f"obs/{part}" for part in PARTS))}
                for name, demo in self._demos.items()
            }
        self._places = [(name, step) for name in demos for step in range(self._lengths[name])]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name, step = self._places[index]
        demo, length = self._demos[name], self._lengths[name]
        first, end = step + 1 - OBSERVATION_STEPS, step + 1 - OBSERVATION_STEPS + HORIZON
        before, after = max(-first, 0), max(end - length, 0)

        def padded(key: str) -> NDArray[Any]:
            values = demo[key][max(first, 0) : min(end, length)]
            return np.concatenate([*[values[:1]] * before, values, *[values[-1:]] * after])

        mask = np.array([False] * before + [True] * (HORIZON - before - after) + [False] * after)[:, None]
        return {
            "actions": padded("actions"),
            "pad_mask": mask,
            "obs": {part: padded(f"obs/{part}") for part in PARTS},
        }


def check_agreement(contenders: Mapping[str, Draw], count: int) -> None:
    """Every contender draws the same windows. Raises AssertionError otherwise."""
    indices = np.random.default_rng(1).integers(0, count, size=256)
    batches = [draw(indices) for draw in contenders.values()]
    ours = batches[0]
    for theirs in batches[1:]:
        assert torch.equal(ours["actions"], theirs["actions"])
        assert torch.equal(~ours["is_pad"], theirs["pad_mask"][..., 0])
        for name in PARTS:
            assert torch.equal(ours["obs"][name], theirs["obs"][name][:, :OBSERVATION_STEPS])


def measure(
    contenders: Mapping[str, Draw], count: int, batch_size: int, repeats: int, seconds: float
) -> dict[str, list[float]]:
    """Windows per second of each contender in each repeat, the contenders taking turns."""
    rng = np.random.default_rng(2)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, draw in contenders.items():
            drawn = 0
            begun = time.perf_counter()
            while (elapsed := time.perf_counter() - begun) < seconds:
                draw(rng.integers(0, count, size=batch_size))
                drawn += batch_size
            rates[name].append(drawn / elapsed)
    return rates


def print_table(batch_size: int, rates: Mapping[str, list[float]]) -> None:
    """Median, range, time of a batch, and how many times faster ours is, repeat by repeat."""
    ours = next(iter(rates.values()))
    print(f"\nbatch {batch_size}")
    print(f"{'':34}{'windows/s':>12}{'min..max':>24}{'ms/batch':>11}{'ours is faster':>28}")
    for name, values in rates.items():
        median = statistics.median(values)
        ratios = [mine / theirs for mine, theirs in zip(ours, values, strict=True)]
        spread = f"{min(values):,.0f}..{max(values):,.0f}"
        times = f"{statistics.median(ratios):.1f}x ({min(ratios):.1f}..{max(ratios):.1f})"
        print(f"{name:34}{median:>12,.0f}{spread:>24}{1e3 * batch_size / median:>11.3f}{times:>28}")


if __name__ == "__main__":
    raise SystemExit(main())
