"""Files of recordings: arrays by name from NPZ, and from CSV."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import SOURCES
from barkyard.errors import InvalidInput
from barkyard.untrusted import read_npz

CLOCKS: Final = ("t", "t_cmd", "t_meas")
ENDINGS: Final = (".npz", ".csv")
ARRAYS: Final = (*CLOCKS, "q_cmd", "q_meas", "joints", "units", "source")
TOOL_ARRAYS: Final = (*CLOCKS, "tool_cmd", "tool_meas", "q_start", "joints", "source")
POSE: Final = 7


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a recording by name, numbers as float64.

    Raises:
        InvalidInput: it ends otherwise, is damaged, or lacks an array; the message has column and row.
    """
    if path.suffix not in ENDINGS:
        raise InvalidInput(f"a recording ends in {' or '.join(ENDINGS)}")
    found = _read_csv(path) if path.suffix == ".csv" else _read_npz(path, ARRAYS)
    _check_names(found)
    return found


def read_tool_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a recording of tool poses by name, numbers as float64.

    Raises:
        InvalidInput: it is damaged, lacks an array, or holds what is no pose; the message has array and row.
    """
    if path.suffix != ".npz" or not path.is_file():
        raise InvalidInput("is not a file; a recording of tool poses ends in .npz")
    found = _read_npz(path, TOOL_ARRAYS)
    needed = [name for name in TOOL_ARRAYS if name not in (*CLOCKS, "source")]
    missing = [name for name in (*needed, *(("t_cmd", "t_meas") if "t" not in found else ())) if name not in found]
    if missing:
        raise InvalidInput(f"there is no {', '.join(missing)}; needed: {', '.join(needed)}, and t or t_cmd and t_meas")
    if str(found.get("source", "real")) not in SOURCES:
        raise InvalidInput(f"source is {str(found['source'])!r}; valid: {', '.join(SOURCES)}")
    if found["q_start"].shape != (len(found["joints"]),):
        raise InvalidInput(f"q_start has the shape {found['q_start'].shape}; there are {len(found['joints'])} joints")
    for name in ("tool_cmd", "tool_meas"):
        if found[name].ndim != 2 or found[name].shape[1] != POSE:
            raise InvalidInput(
                f"{name} has the shape {found[name].shape}; a pose is x, y, z and a quaternion w, x, y, z"
            )
        wrong = np.flatnonzero(~(np.abs(np.linalg.norm(found[name][:, 3:], axis=1) - 1.0) < _UNIT))
        if len(wrong):
            raise InvalidInput(f"{name}, row {wrong[0] + 1}: {found[name][wrong[0], 3:]} is no unit quaternion")
    return found


def _check_names(found: Mapping[str, Any]) -> None:
    missing = [name for name in ("q_cmd", "q_meas", "joints") if name not in found]
    if "t" not in found:
        missing += [name for name in ("t_cmd", "t_meas") if name not in found]
    if missing:
        raise InvalidInput(
            f"there is no {', '.join(missing)}; needed: q_cmd and q_meas [rad], joints, and t or t_cmd and t_meas [s]"
        )
    if str(found.get("units", "rad")) != "rad":
        raise InvalidInput(f"units is {str(found['units'])!r}; positions must be in 'rad'")
    if str(found.get("source", "real")) not in SOURCES:
        raise InvalidInput(f"source is {str(found['source'])!r}; valid: {', '.join(SOURCES)}")


def _read_npz(path: Path, arrays: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = read_npz(path, arrays)
    for name in found.keys() - {"joints", "units", "source"}:
        if found[name].dtype.kind not in "fiu":
            raise InvalidInput(f"{name} is of {found[name].dtype}; it must hold numbers")
        found[name] = found[name].astype(np.float64)
    return found


def _read_csv(path: Path) -> dict[str, Any]:
    try:
        rows = [row for row in csv.reader(path.read_text().splitlines()) if row and not row[0].startswith("#")]
    except (UnicodeDecodeError, csv.Error) as problem:
        raise InvalidInput(f"the file is not text in columns: {problem}") from None
    if len(rows) < 2:
        raise InvalidInput("there is no sample; a recording has a header and at least two rows")
    header = [name.strip() for name in rows.pop(0)]
    for name in header:
        if header.count(name) > 1:
            raise InvalidInput(f"column {name} is there {header.count(name)} times")
    for row, cells in enumerate(rows, start=1):
        if len(cells) != len(header):
            raise InvalidInput(
                f"row {row} ends after column {header[min(len(cells), len(header)) - 1]}: {len(cells)} cells, and "
                f"the header has {len(header)}; is the file cut short?"
            )
    joints = [name.removesuffix(".cmd") for name in header if name.endswith(".cmd")]
    unmeasured = [joint for joint in joints if f"{joint}.meas" not in header]
    if unmeasured or not joints:
        raise InvalidInput(
            f"there is no column {unmeasured[0] if unmeasured else '<joint>'}.meas; every joint has the columns "
            "<joint>.cmd and <joint>.meas"
        )
    found: dict[str, Any] = {name: _numbers(rows, header, [name])[:, 0] for name in CLOCKS if name in header}
    found["q_cmd"] = _numbers(rows, header, [f"{joint}.cmd" for joint in joints])
    found["q_meas"] = _numbers(rows, header, [f"{joint}.meas" for joint in joints])
    return {**found, "joints": joints}


def _numbers(rows: Sequence[Sequence[str]], header: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
    places = [header.index(name) for name in names]
    for row, cells in enumerate(rows, start=1):
        for place in places:
            if not _NUMBER.fullmatch(cells[place].strip()):
                raise InvalidInput(f"{header[place]}, row {row}: {cells[place]!r} is not a number")
    return np.array([[float(cells[place].strip()) for place in places] for cells in rows])


_UNIT: Final = 1e-3
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
