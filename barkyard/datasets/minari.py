"""Minari's datasets: written from a dataset, and read into one.

The layout is that of Minari 0.5's HDF5 storage: `data/metadata.json`, and `data/main_data.hdf5` with a group
`episode_<i>` of `observations`, `actions`, `rewards`, `terminations`, `truncations` and `infos`. Images are stored as
they are and not as JPEGs, which Minari reads from 0.5.4 on. A file of ours has among the infos the simulator states and
who acted, and as an attribute what else an episode knows, so that reading it gives the episodes back bit for bit.
"""

import copy
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from barkyard.datasets.hdf5 import read_apart, whole
from barkyard.datasets.reader import Dataset
from barkyard.datasets.spec import IMAGE_PART
from barkyard.episode import EVALUATION_SEED_START, Episode, Observations
from barkyard.errors import DatasetError, InvalidInput
from barkyard.files import make_folder, synchronise
from barkyard.untrusted import parse_json

DATA, FILE, METADATA = "data", "main_data.hdf5", "metadata.json"
MINARI_VERSION: Final = "0.5.4"
FACTS: Final = "barkyard"
"""Attribute of an episode's group with what Minari's layout has no room for."""
SCHEMA: Final = 1
_FACTS = ("success", "end", "dt", "env_id", "env_kwargs", "source", "metrics")
_ID = re.compile(r"[-\w]+-v\d+")
_UNREADABLE = (
    *(OSError, KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError, SyntaxError),
    *(ArithmeticError, MemoryError, RecursionError, Image.DecompressionBombError),
)


def is_minari(path: Path) -> bool:
    """Whether the folder is laid out as Minari's datasets are."""
    return (path / DATA / METADATA).is_file()


def write_minari(dataset: Dataset, path: str | Path) -> int:
    """Write all episodes into a new folder, whose name is the dataset's id, such as `lift-v0`. Returns their number.

    Raises:
        InvalidInput: the folder's name is no id.
        DatasetError: there are no episodes, or the folder exists or cannot be written.
    """
    target = Path(path)
    if not _ID.fullmatch(target.name):
        raise InvalidInput(f"{target.name!r} is no id of Minari's; choose a folder whose name is like lift-v0")
    if not dataset.num_episodes:
        raise DatasetError(f"{dataset.path} holds no episodes yet; barkyard collect adds some")
    with _new_folder(target) as folder:
        with h5py.File(folder / FILE, "w") as file:
            for i, episode in enumerate(dataset):
                _write_episode(file.create_group(f"episode_{i}"), i, episode)
        size = (folder / FILE).stat().st_size
        metadata = json.dumps(_metadata(dataset, target.name, size))
        (folder / METADATA).write_text(metadata)
        for name in (FILE, METADATA):
            synchronise(folder / name)
    return dataset.num_episodes


def _write_episode(group: Any, number: int, episode: Episode) -> None:
    last = np.arange(episode.length) == episode.length - 1
    group.attrs["id"], group.attrs["seed"], group.attrs["total_steps"] = number, episode.seed, episode.length
    group.attrs[FACTS] = json.dumps({"schema": SCHEMA, **{name: getattr(episode, name) for name in _FACTS}})
    group["actions"], group["rewards"] = episode.actions, episode.rewards
    group["terminations"], group["truncations"] = last & episode.terminated, last & episode.truncated
    for name, values in episode.observations.items():
        compression = "gzip" if name.startswith(IMAGE_PART) else None
        group.create_dataset(f"observations/{name}", data=values, compression=compression)
    infos = group.create_group("infos")
    infos["success"] = np.append(np.zeros(episode.length, dtype=bool), episode.success)
    infos.create_dataset("acted_by", data=episode.acted_by.tolist(), dtype=h5py.string_dtype())
    if episode.states is not None:
        infos["state"] = episode.states


def _metadata(dataset: Dataset, dataset_id: str, size: int) -> dict[str, Any]:
    within = bool(np.all(np.abs(dataset.actions) <= 1.0))
    limit = 1.0 if within else np.inf
    spaces = {
        part: _box(shape, 0, 255, "uint8") if part.startswith(IMAGE_PART) else _box(shape, -np.inf, np.inf, "float32")
        for part, shape in dataset.observation_shapes.items()
    }
    found = {
        "dataset_id": dataset_id,
        "minari_version": MINARI_VERSION,
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "total_episodes": dataset.num_episodes,
        "total_steps": dataset.num_frames,
        "dataset_size": round(size / 1e6, 1),
        "observation_space": json.dumps({"type": "Dict", "subspaces": spaces}),
        "action_space": json.dumps(_box((dataset.action_size,), -limit, limit, "float32")),
        "description": f"{dataset.env_id}, recorded by Barkyard; fingerprint {dataset.fingerprint}",
        "requirements": ["barkyard"],
    }
    spec = _environment_spec(dataset)
    return found | ({"env_spec": spec} if spec else {})


def _box(shape: tuple[int, ...], low: float, high: float, dtype: str) -> dict[str, Any]:
    bounds = {"low": np.full(shape, low).tolist(), "high": np.full(shape, high).tolist()}
    return {"type": "Box", "dtype": dtype, "shape": list(shape), **bounds}


def _environment_spec(dataset: Dataset) -> str | None:
    """Gymnasium's description of the environment as JSON; None where it is not registered here."""
    import gymnasium

    try:
        spec = copy.deepcopy(gymnasium.spec(dataset.env_id))
    except gymnasium.error.Error:
        return None
    spec.kwargs |= dataset.env_kwargs
    return spec.to_json()


def read_minari(path: str | Path, fps: int | None = None) -> Iterator[Episode]:
    """The episodes of a dataset in their order, one at a time.

    Of a dataset of ours they come back bit for bit. Of any other: the parts of a `Dict` space keep their names, inner
    ones as `outer_inner`, other spaces are the part `observation`; RGB pictures become `image_<name>`. The seed is the
    file's, or else the episode's number; success is the last `success` among the infos, or else False. Numbers are
    rounded to float32, and actions flattened.

    Args:
        path: the dataset's folder, which holds `data`.
        fps: control steps a second, which the files do not tell; needed unless the dataset is ours.

    Raises:
        DatasetError: the dataset cannot be read, or holds what is not supported.
        InvalidInput: `fps` is needed and not given.
    """
    return read_apart(_read, Path(path), fps)


def _read(root: Path, fps: int | None) -> Iterator[Episode]:
    try:
        metadata = parse_json((root / DATA / METADATA).read_bytes())
        if metadata["data_format"] != "hdf5":
            raise DatasetError(f"{root} is stored as {metadata['data_format']!r:.80}; valid: 'hdf5'")
        with h5py.File(root / DATA / FILE, "r") as file:
            for i in range(metadata["total_episodes"]):
                group = file[f"episode_{i}"]
                yield _own_episode(group) if FACTS in group.attrs else _foreign_episode(group, i, metadata, fps)
    except _UNREADABLE as error:
        if isinstance(error, InvalidInput):
            raise
        raise DatasetError(f"{root} cannot be read as Minari's dataset: {type(error).__name__}: {error}") from error


def _own_episode(group: Any) -> Episode:
    facts = json.loads(group.attrs[FACTS])
    if facts["schema"] != SCHEMA:
        raise DatasetError(f"{group.name} has schema {facts['schema']!r}; this version reads {SCHEMA}")
    infos = group["infos"]
    return Episode(
        observations={name: whole(values) for name, values in group["observations"].items()},
        actions=whole(group["actions"]),
        rewards=whole(group["rewards"]),
        seed=int(group.attrs["seed"]),
        acted_by=np.array([name.decode() for name in whole(infos["acted_by"])], dtype=np.str_),
        states=whole(infos["state"]) if "state" in infos else None,
        **{name: facts[name] for name in _FACTS},
    )


def _foreign_episode(group: Any, number: int, metadata: Mapping[str, Any], fps: int | None) -> Episode:
    if not fps or fps < 1:
        raise InvalidInput("Minari's files do not tell the control period; give it with --fps, in steps a second")
    _check_actions(metadata)
    environment = parse_json(metadata.get("env_spec") or "{}")
    actions = np.asarray(whole(group["actions"]), dtype=np.float32)
    infos = group.get("infos", {})
    success = bool(np.ravel(whole(infos["success"]))[-1]) if "success" in infos else False
    terminated, truncated = (bool(whole(group[name])[-1]) for name in ("terminations", "truncations"))
    seed = int(group.attrs.get("seed", number))
    return Episode(
        observations=_observations(group["observations"], "", bool(metadata.get("jpeg_encoding", True))),
        actions=actions.reshape(len(actions), -1),
        rewards=np.asarray(whole(group["rewards"]), dtype=np.float32),
        success=success,
        end="success" if success else "failure" if terminated else "time_limit" if truncated else "interrupted",
        dt=1.0 / fps,
        seed=seed if 0 <= seed < EVALUATION_SEED_START else number,
        env_id=str(environment.get("id") or f"minari/{metadata['dataset_id']}"),
        env_kwargs=dict(environment.get("kwargs") or {}),
        acted_by=np.full(len(actions), "demonstration"),
    )


def _check_actions(metadata: Mapping[str, Any]) -> None:
    kind = parse_json(metadata["action_space"])["type"] if "action_space" in metadata else "Box"
    if kind != "Box":
        raise DatasetError(f"its actions are of a {kind} space; only those of a Box, which are numbers, are read")


def _observations(stored: Any, name: str, jpeg: bool) -> Observations:
    """Parts by name; groups are spaces of several parts."""
    if isinstance(stored, h5py.Group):
        found: Observations = {}
        for key, inner in stored.items():
            if key.startswith("_index_"):
                raise DatasetError(f"{stored.name} is of a Tuple space; only Dict and Box spaces are read")
            found |= _observations(inner, f"{name}_{key}" if name else key, jpeg)
        return found
    part = re.sub(r"\W", "_", name or "observation")
    values = _decoded(whole(stored), jpeg)
    if values.dtype.kind not in "biuf":
        raise DatasetError(f"{stored.name} holds {values.dtype}, not numbers; only Dict and Box spaces are read")
    if values.dtype == np.uint8 and values.ndim == 4 and values.shape[3] == 3:
        return {f"{IMAGE_PART}{part.removeprefix(IMAGE_PART)}": values}
    return {part: values.astype(np.float32).reshape(len(values), *(values.shape[1:] or (1,)))}


def _decoded(values: NDArray[Any], jpeg: bool) -> NDArray[Any]:
    """Images, where they are stored as JPEGs; all else as it is."""
    encoded = values.dtype == object or (values.dtype == np.uint8 and values.ndim == 2)
    if not jpeg or not encoded or bytes(values[0][:2]) != b"\xff\xd8":
        return values
    images = []
    for content in values:
        with Image.open(io.BytesIO(bytes(content)), formats=("JPEG",)) as image:
            images.append(np.array(image))
    return np.stack(images)


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """The `data` folder of a dataset that has its name only once it is whole."""
    if path.exists():
        raise DatasetError(f"{path} exists; choose another name")
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_folder(partial / DATA)
        yield partial / DATA
        synchronise(partial / DATA)
        partial.replace(path)
        synchronise(path.parent)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
