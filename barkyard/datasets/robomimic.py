"""robomimic's HDF5 files: written from a dataset, and read into one.

The layout is that of robomimic 0.5: `data/demo_<i>` with `states`, `actions`, `rewards`, `dones`, `obs/<key>` and
`next_obs/<key>`, and the attributes `num_samples`, `total` and `env_args`. A file of ours also has, for each
demonstration, the state after the last action and what else an episode knows, so that reading it gives the episodes
back bit for bit.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from barkyard import provenance
from barkyard.datasets.hdf5 import read_apart, whole
from barkyard.datasets.reader import Dataset
from barkyard.datasets.spec import IMAGE_PART
from barkyard.episode import Episode, Observations
from barkyard.errors import DatasetError
from barkyard.files import replacing

GYMNASIUM = 2
"""robomimic's `EnvType` for environments that `gym.make` makes."""
FACTS, FINAL_STATE = "barkyard", "barkyard_final_state"
"""Attribute and array with what robomimic's layout has no room for."""
SCHEMA = 1
_FACTS = ("success", "end", "dt", "seed", "env_id", "env_kwargs", "source", "metrics")


def write_robomimic(dataset: Dataset, path: str | Path) -> int:
    """Write all episodes of `dataset` as demonstrations into a new file. Returns their number.

    Raises:
        DatasetError: there are no episodes, or the file exists or cannot be written.
    """
    target = Path(path)
    if not dataset.num_episodes:
        raise DatasetError(f"{dataset.path} holds no episodes yet; barkyard collect adds some")
    with _new_file(target) as file:
        data = file.create_group("data")
        data.attrs["total"] = dataset.num_frames
        data.attrs["env_args"] = json.dumps(
            {
                "env_name": dataset.env_id,
                "env_version": provenance.versions().get("barkyard", ""),
                "type": GYMNASIUM,
                "env_kwargs": dataset.env_kwargs,
            }
        )
        for i, episode in enumerate(dataset):
            _write_demonstration(data.create_group(f"demo_{i}"), episode)
    return dataset.num_episodes


def _write_demonstration(group: Any, episode: Episode) -> None:
    length = episode.length
    states = np.zeros((length + 1, 0)) if episode.states is None else episode.states
    facts = {name: getattr(episode, name) for name in _FACTS}
    facts |= {"schema": SCHEMA, "acted_by": episode.acted_by.tolist(), "states": episode.states is not None}
    group.attrs["num_samples"] = length
    group.attrs[FACTS] = json.dumps(facts)
    group["states"], group[FINAL_STATE] = states[:-1], states[-1]
    group["actions"], group["rewards"] = episode.actions, episode.rewards
    group["dones"] = (np.arange(length) == length - 1).astype(np.int64)
    for name, values in episode.observations.items():
        compression = "gzip" if name.startswith(IMAGE_PART) else None
        group.create_dataset(f"obs/{name}", data=values[:-1], compression=compression)
        group.create_dataset(f"next_obs/{name}", data=values[1:], compression=compression)


def read_robomimic(path: str | Path, filter_key: str | None = None) -> Iterator[Episode]:
    """The demonstrations of a file in their order, one at a time.

    Of a file of ours the episodes come back bit for bit. Of any other: observation keys keep their names, pictures
    become `image_<key>`; the environment is `robosuite/<env_name>` with the file's `env_kwargs`; the seed is the
    demonstration's number; success is a last reward of at least 1. Actions and rewards are rounded to float32, the
    precision that robomimic trains in. Where the file tells no observation or state after the last action, the last
    one is repeated.

    Args:
        path: the file.
        filter_key: only the demonstrations under this key of `mask`.

    Raises:
        DatasetError: the file cannot be read, lacks what the layout asks for, or has no such filter key.
    """
    return read_apart(_read, Path(path), filter_key)


def _read(path: Path, filter_key: str | None) -> Iterator[Episode]:
    try:
        with h5py.File(path, "r") as file:
            for name in _demonstrations(file, filter_key):
                group = file["data"][name]
                yield _own_episode(group) if FACTS in group.attrs else _foreign_episode(file["data"], name)
    except (
        *(OSError, KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError),
        *(ArithmeticError, MemoryError),
    ) as error:
        raise DatasetError(f"{path} cannot be read as robomimic's HDF5: {type(error).__name__}: {error}") from error


def _demonstrations(file: Any, filter_key: str | None) -> list[str]:
    if filter_key is None:
        names = list(file["data"])
    elif filter_key in (masks := file.get("mask", {})):
        names = [name.decode() for name in whole(masks[filter_key])]
    else:
        raise DatasetError(f"{file.filename} has no filter key {filter_key!r}; it has {sorted(masks)}")
    return sorted(names, key=lambda name: int(name.removeprefix("demo_")))


def _own_episode(group: Any) -> Episode:
    facts = json.loads(group.attrs[FACTS])
    if facts["schema"] != SCHEMA:
        raise DatasetError(f"{group.name} has schema {facts['schema']!r}; this version reads {SCHEMA}")
    return Episode(
        observations=_observations(group, {name: name for name in group["obs"]}),
        actions=whole(group["actions"]),
        rewards=whole(group["rewards"]),
        acted_by=np.array(facts["acted_by"]),
        states=_states(group) if facts["states"] else None,
        **{name: facts[name] for name in _FACTS},
    )


def _foreign_episode(data: Any, name: str) -> Episode:
    group, env_args = data[name], json.loads(data.attrs["env_args"])
    keys = {key: _part_name(key, group["obs"][key]) for key in group["obs"]} if "obs" in group else {}
    actions = whole(group["actions"]).astype(np.float32)
    rewards = whole(group["rewards"]).astype(np.float32) if "rewards" in group else np.zeros(len(actions), np.float32)
    success = bool(rewards[-1] >= 1.0)
    return Episode(
        observations=_observations(group, keys),
        actions=actions,
        rewards=rewards,
        success=success,
        end="success" if success else "time_limit",
        dt=1.0 / env_args["env_kwargs"]["control_freq"],
        seed=int(name.removeprefix("demo_")),
        env_id=f"robosuite/{env_args['env_name']}",
        env_kwargs=env_args["env_kwargs"],
        acted_by=np.full(len(actions), "demonstration"),
        states=_states(group) if group["states"].shape[1:] not in ((), (0,)) else None,
    )


def _part_name(key: str, values: Any) -> str:
    return f"{IMAGE_PART}{key.removesuffix('_image')}" if values.dtype == np.uint8 and values.ndim == 4 else key


def _observations(group: Any, names: Mapping[str, str]) -> Observations:
    """Each key's values before every action and after the last, under its name."""
    found: Observations = {}
    for key, name in names.items():
        values = whole(group["obs"][key])
        final = group["next_obs"][key][-1:] if "next_obs" in group else values[-1:]
        joined = np.concatenate([values, final])
        found[name] = joined if joined.dtype == np.uint8 else joined.astype(np.float32)
    return found


def _states(group: Any) -> NDArray[np.float64]:
    states = whole(group["states"]).astype(np.float64)
    final = whole(group[FINAL_STATE])[None] if FINAL_STATE in group else states[-1:]
    return np.concatenate([states, final])


@contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """A file that has its name only once it is whole."""
    if path.exists():
        raise DatasetError(f"{path} exists; choose another name")
    try:
        with replacing(path) as partial, h5py.File(partial, "w") as file:
            yield file
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error}") from error
