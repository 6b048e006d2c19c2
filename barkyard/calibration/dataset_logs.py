"""Recordings from a Barkyard dataset: every episode of a robot is one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from barkyard.assets.calibration import SOURCES
from barkyard.calibration.logs import RobotLog
from barkyard.datasets import Dataset
from barkyard.errors import DatasetError, InvalidInput

MEASURED: Final = "joint_pos"
COMMANDED: Final = "joint_target"


def read_dataset(path: Path, joints: Sequence[str]) -> tuple[RobotLog, ...]:
    """Every episode of the dataset as a recording, called `<folder>-<episode>`.

    Observations are `joint_pos` and `joint_target` (J,) [rad], the target that was in force when the observation was
    made. So what was commanded after observation t stands in observation t + 1.

    Args:
        path: the dataset's folder.
        joints: names of the J columns, in order.

    Raises:
        InvalidInput: there is no dataset, its episodes lack a part or have other joints, or they are simulated.
    """
    try:
        dataset = Dataset.open(path)
        dataset.check_parts((MEASURED, COMMANDED))
    except (DatasetError, InvalidInput) as problem:
        raise InvalidInput(
            f"{path}: {problem}; a dataset to calibrate from has the parts {MEASURED} and {COMMANDED} [rad]"
        ) from None
    for part in (MEASURED, COMMANDED):
        shape = dataset.observation_shapes[part]
        if shape != (len(joints),):
            raise InvalidInput(f"{path}: {part} has the shape {shape}; the model has {len(joints)} joints")
    return tuple(_recording(dataset, index, path, joints) for index in range(dataset.num_episodes))


def _recording(dataset: Dataset, index: int, path: Path, joints: Sequence[str]) -> RobotLog:
    source = dataset.records[index].source
    if source not in SOURCES:
        raise InvalidInput(f"{path}: episode {index} is from {source!r}; only {' or '.join(SOURCES)} tells of a robot")
    episode = dataset.episode(index)
    position, target = (episode.observations[part].astype(np.float64) for part in (MEASURED, COMMANDED))
    time = dataset.control_dt * np.arange(len(position))
    try:
        log = RobotLog(
            name=f"{path.name}-{index}",
            joints=tuple(joints),
            command_time=time[:-1],
            command=target[1:],
            time=time,
            position=position,
            sha256=dataset.records[index].fingerprint,
            source=source,
        )
        log.check_plausible()
    except InvalidInput as problem:
        raise InvalidInput(f"{path}, episode {index}: {problem}") from None
    return log
