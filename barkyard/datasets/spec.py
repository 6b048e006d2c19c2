"""What all episodes of a dataset share, and how it maps to LeRobot's features."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from barkyard.episode import ENDS, SOURCES, Episode, check_collection_seeds
from barkyard.errors import DatasetError, InvalidInput

STATE = "observation.state"
ENVIRONMENT_STATE = "observation.environment_state"
IMAGE_FEATURE = "observation.images."
IMAGE_PART = "image_"
ENVIRONMENT_PARTS = ("object_", "target_", "door_", "handle_", "command", "terrain")
ACTION, REWARD, DONE, SUCCESS = "action", "next.reward", "next.done", "next.success"
SIMULATOR_STATE, ACTED_BY = "barkyard.state", "barkyard.acted_by"
LAYOUT_FEATURES = ("timestamp", "frame_index", "episode_index", "index", "task_index")


@dataclass(frozen=True)
class Part:
    """Where one observation part is kept.

    Attributes:
        key: the LeRobot feature that holds it.
        start: its first element in that feature.
        stop: one past its last element.
        shape: its own shape, without the time axis.
    """

    key: str
    start: int
    stop: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class DatasetSpec:
    """What all episodes of a dataset share.

    Attributes:
        env_id: the environment's id, such as `barkyard/Lift-v0`.
        env_kwargs: the keyword arguments that rebuild the environment; JSON only.
        control_dt: control period [s].
        shapes: observation parts and their shapes without the time axis; `image_<camera>` is `(H, W, 3)`.
        action_size: elements of one action.
        state_size: elements of one simulator state; None where there is no simulator.
        task: the instruction in words, for policies that read one.
        robot_type: the robot's name, or None.
    """

    env_id: str
    env_kwargs: Mapping[str, Any]
    control_dt: float
    shapes: Mapping[str, tuple[int, ...]]
    action_size: int
    state_size: int | None
    task: str
    robot_type: str | None = None

    @classmethod
    def of(cls, episode: Episode, *, task: str | None = None, robot_type: str | None = None) -> "DatasetSpec":
        """The spec that `episode` fits; `task` is the environment's id unless given.

        Raises:
            InvalidInput: a part's name or type cannot be stored, the keyword arguments are not JSON, or the control
                period is not a whole number of frames a second.
        """
        spec = cls(
            env_id=episode.env_id,
            env_kwargs=_as_json(episode.env_kwargs),
            control_dt=episode.dt,
            shapes={name: values.shape[1:] for name, values in episode.observations.items()},
            action_size=episode.actions.shape[1],
            state_size=None if episode.states is None else episode.states.shape[1],
            task=episode.env_id if task is None else task,
            robot_type=robot_type,
        )
        _check_spec(spec)
        check_episode(spec, episode)
        return spec

    @property
    def fps(self) -> int:
        """Frames a second."""
        return round(1 / self.control_dt)

    @property
    def parts(self) -> dict[str, Part]:
        """Where each observation part is kept."""
        filled: dict[str, int] = {}
        parts = {}
        for name, shape in self.shapes.items():
            key, size = _feature_of(name), math.prod(shape)
            start = 0 if name.startswith(IMAGE_PART) else filled.get(key, 0)
            filled[key] = start + size
            parts[name] = Part(key, start, start + size, tuple(shape))
        return parts

    @property
    def cameras(self) -> dict[str, tuple[int, ...]]:
        """Image features and their `(H, W, 3)`."""
        return {part.key: part.shape for part in self.parts.values() if part.key.startswith(IMAGE_FEATURE)}

    @property
    def vectors(self) -> dict[str, tuple[int, str]]:
        """Numeric columns: number of elements a frame, and type."""
        sizes: dict[str, int] = {}
        for part in self.parts.values():
            if not part.key.startswith(IMAGE_FEATURE):
                sizes[part.key] = part.stop
        columns = {key: (sizes[key], "float32") for key in (STATE, ENVIRONMENT_STATE) if key in sizes}
        columns |= {ACTION: (self.action_size, "float32"), REWARD: (1, "float32")}
        columns |= {DONE: (1, "bool"), SUCCESS: (1, "bool")}
        if self.state_size is not None:
            columns[SIMULATOR_STATE] = (self.state_size, "float64")
        return columns

    def features(self) -> dict[str, dict[str, Any]]:
        """The `features` of LeRobot's info.json: one entry for every column."""
        features = {
            key: {"dtype": dtype, "shape": [size], "names": self._element_names(key)}
            for key, (size, dtype) in self.vectors.items()
        }
        for key, shape in self.cameras.items():
            features[key] = {"dtype": "image", "shape": list(shape), "names": ["height", "width", "channels"]}
        features[ACTED_BY] = {"dtype": "string", "shape": [1], "names": None}
        for key in LAYOUT_FEATURES:
            dtype = "float32" if key == "timestamp" else "int64"
            features[key] = {"dtype": dtype, "shape": [1], "names": None}
        return features

    def _element_names(self, key: str) -> list[str] | None:
        if key == ACTION:
            return [f"action_{i}" for i in range(self.action_size)]
        if key not in (STATE, ENVIRONMENT_STATE):
            return None
        named = ((name, part) for name, part in self.parts.items() if part.key == key)
        return [f"{name}_{i}" for name, part in named for i in range(part.stop - part.start)]

    def to_json(self) -> dict[str, Any]:
        """As a dictionary that JSON can hold; `parts` says which slice of which feature is which part."""
        return {
            "env_id": self.env_id,
            "env_kwargs": dict(self.env_kwargs),
            "control_dt": self.control_dt,
            "parts": {
                name: {"key": part.key, "start": part.start, "stop": part.stop, "shape": list(part.shape)}
                for name, part in self.parts.items()
            },
            "action_size": self.action_size,
            "state_size": self.state_size,
            "task": self.task,
            "robot_type": self.robot_type,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "DatasetSpec":
        """The spec that `to_json` gave.

        Raises:
            DatasetError: something is missing, or the parts do not lie where this version puts them.
        """
        try:
            shapes = {name: tuple(part["shape"]) for name, part in data["parts"].items()}
            fields = {name: data[name] for name in cls.__dataclass_fields__ if name != "shapes"}
            spec = cls(shapes=shapes, **fields)
            _check_spec(spec)
            agrees = spec.to_json()["parts"] == data["parts"]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DatasetError(f"the dataset's description is incomplete: {type(error).__name__}: {error}") from error
        if not agrees:
            raise DatasetError("the dataset's parts do not lie where this version of Barkyard puts them")
        return spec

    def difference(self, other: "DatasetSpec") -> str | None:
        """The first thing in which `other` differs, in words; None where the two agree."""
        ours, theirs = self.to_json(), other.to_json()
        ours_shapes, their_shapes = dict(self.shapes), dict(other.shapes)
        for name in sorted(ours_shapes.keys() | their_shapes.keys()):
            if ours_shapes.get(name) != their_shapes.get(name):
                mine, yours = ours_shapes.get(name, "absent"), their_shapes.get(name, "absent")
                return f"observation part {name!r} is {yours} where the dataset has {mine}"
        for name in ("env_id", "env_kwargs", "control_dt", "action_size", "state_size", "parts"):
            if ours[name] != theirs[name]:
                return f"{name} is {theirs[name]!r} where the dataset has {ours[name]!r}"
        return None


def check_episode(spec: DatasetSpec, episode: Episode) -> None:
    """Refuse an episode that does not fit.

    Raises:
        InvalidInput: it is of another environment or shape, is not whole, or its seed is kept for evaluation.
    """
    length = episode.length
    if length == 0:
        raise InvalidInput("an episode without actions cannot be stored; leave it out")
    rows = {name: len(values) for name, values in episode.observations.items()}
    if episode.states is not None:
        rows["states"] = len(episode.states)
    for name, count in rows.items():
        if count != length + 1:
            raise InvalidInput(
                f"{name} has {count} rows for {length} actions; an episode holds {length + 1}: one before each "
                "action and one after the last. Record with observations and states on."
            )
    for name in ("rewards", "acted_by"):
        if getattr(episode, name).shape != (length,):
            raise InvalidInput(f"{name} has shape {getattr(episode, name).shape}; valid: ({length},)")
    _check_types(episode)
    if episode.end not in ENDS:
        raise InvalidInput(f"end {episode.end!r} is not one of {', '.join(ENDS)}")
    if episode.source not in SOURCES:
        raise InvalidInput(f"source {episode.source!r} is not one of {', '.join(SOURCES)}")
    other = DatasetSpec(
        env_id=episode.env_id,
        env_kwargs=_as_json(episode.env_kwargs),
        control_dt=episode.dt,
        shapes={name: episode.observations[name].shape[1:] for name in _in_order(spec, episode)},
        action_size=episode.actions.shape[1],
        state_size=None if episode.states is None else episode.states.shape[1],
        task=spec.task,
    )
    difference = spec.difference(other)
    if difference:
        raise InvalidInput(f"the episode does not fit the dataset: {difference}. Record it into a dataset of its own.")
    if episode.source != "real":
        check_collection_seeds(np.array([episode.seed], dtype=np.int64))


def _in_order(spec: DatasetSpec, episode: Episode) -> list[str]:
    """The episode's parts in the dataset's order; the order of a dictionary carries no meaning."""
    known = [name for name in spec.shapes if name in episode.observations]
    return known + [name for name in episode.observations if name not in spec.shapes]


def _check_types(episode: Episode) -> None:
    expected = {name: "uint8" if name.startswith(IMAGE_PART) else "float32" for name in episode.observations}
    arrays = dict(episode.observations) | {"actions": episode.actions, "rewards": episode.rewards}
    expected |= {"actions": "float32", "rewards": "float32"}
    if episode.states is not None:
        arrays["states"], expected["states"] = episode.states, "float64"
    for name, values in arrays.items():
        if values.dtype != expected[name]:
            raise InvalidInput(f"{name} is {values.dtype}; valid: {expected[name]}")


def _check_spec(spec: DatasetSpec) -> None:
    for name, shape in spec.shapes.items():
        if not re.fullmatch(r"\w+", name):
            raise InvalidInput(f"observation part {name!r} cannot be stored; names are letters, digits and underscores")
        if name.startswith(IMAGE_PART) and (len(shape) != 3 or shape[2] != 3):
            raise InvalidInput(f"{name} has shape {shape}; valid: (H, W, 3)")
        if any(type(size) is not int or size < 1 for size in shape):
            raise InvalidInput(f"observation part {name!r} is empty: {shape}; leave it out")
    for what, size in (
        ("action_size", spec.action_size),
        ("state_size", 1 if spec.state_size is None else spec.state_size),
    ):
        if type(size) is not int or size < 1:
            raise InvalidInput(f"{what} {size!r:.80} is not valid; it must be a whole number of at least 1")
    if not spec.control_dt > 0 or abs(1 / spec.control_dt - round(1 / spec.control_dt)) > 1e-3:
        raise InvalidInput(
            f"control period {spec.control_dt} s is not a whole number of frames a second, which the layout needs; "
            "choose for example 0.05 s (20 Hz)"
        )


def _feature_of(part: str) -> str:
    if part.startswith(IMAGE_PART):
        return IMAGE_FEATURE + part.removeprefix(IMAGE_PART)
    return ENVIRONMENT_STATE if part.startswith(ENVIRONMENT_PARTS) else STATE


def _as_json(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        normal: dict[str, Any] = json.loads(json.dumps(dict(kwargs)))
    except TypeError as error:
        raise InvalidInput(f"env_kwargs {kwargs!r} cannot be written as JSON: {error}") from error
    return normal
