"""What was recorded of a run, simulated or real, and its files."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput
from barkyard.files import write_whole
from barkyard.untrusted import read_npz

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("time",),
    "base_pos": ("base_x", "base_y", "base_z"),
    "base_quat": ("base_qw", "base_qx", "base_qy", "base_qz"),
    "foot_contact": ("foot_contact_fl", "foot_contact_hl", "foot_contact_fr", "foot_contact_hr"),
    "board_contact": ("board_contact",),
    "pole_contact": ("pole_contact",),
}
"""Columns of a CSV log by the name of the array, which is also its name in an NPZ log."""

REQUIRED: Final = ("time", "base_pos")
CONTACTS: Final = ("foot_contact", "board_contact", "pole_contact")
PUBLISHED_HEADER: Final = ("time", "base_x", "base_y")
"""Columns of the published script's logs, which have no header."""
_TRUTH: Final = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(frozen=True)
class Trajectory:
    """A run of T samples. None stands for what was not recorded, and is then not judged.

    Attributes:
        time: (T,) [s], never falling; may start anywhere. Real logs repeat samples.
        base_pos: (T, 3) position of the robot's base in the course's frame [m], z from the ground; (T, 2) where the
            height was not recorded.
        base_quat: (T, 4) orientation of the base, w x y z; kept, and not needed for the score.
        foot_contact: (T, 4) whether each foot (front left, hind left, front right, hind right) is on something.
        board_contact: (T,) whether any part of the robot touches the board.
        pole_contact: (T,) whether any part touches a pole.
    """

    time: Array
    base_pos: Array
    base_quat: Array | None = None
    foot_contact: Flags | None = None
    board_contact: Flags | None = None
    pole_contact: Flags | None = None

    def __post_init__(self) -> None:
        """Raises InvalidInput naming array and row (from 1) where a value cannot be."""
        for name, array in self.arrays().items():
            _check_array(name, array, self.time.size)
        back = np.flatnonzero(np.diff(self.time) < 0.0)
        if len(back):
            row = int(back[0]) + 1
            raise InvalidInput(f"time, row {row + 1}: {self.time[row]} after {self.time[row - 1]}; time must not fall")

    @property
    def has_height(self) -> bool:
        """Whether the base's height was recorded."""
        return self.base_pos.shape[1] == 3

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was recorded, by name."""
        recorded = {name: getattr(self, name) for name in COLUMNS}
        return {name: array for name, array in recorded.items() if array is not None}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a log.

        Args:
            path: a `.csv` with a header of the names in `COLUMNS`, in any order and among others, and a sample a row;
                or without a header and with the three columns time, x and y, as the published script's logs; or a
                `.npz` with the arrays by name.

        Raises:
            InvalidInput: the file is absent, damaged or holds what cannot be; the message names file, column and row.
        """
        readers = {".csv": _read_csv, ".npz": _read_npz}
        if path.suffix not in readers:
            raise InvalidInput(f"{path}: a log's name ends in {' or '.join(readers)}")
        if not path.is_file():
            raise InvalidInput(f"{path} is not a file; give a log that ends in {' or '.join(readers)}")
        try:
            return cls(**readers[path.suffix](path))
        except InvalidInput as problem:
            raise InvalidInput(f"{path}: {problem}") from None

    def save(self, path: Path) -> None:
        """Writes a log that `load` reads back exactly, by its ending `.csv` or `.npz`; whole or not at all.

        Raises:
            InvalidInput: the name has another ending.
        """
        if path.suffix not in (".csv", ".npz"):
            raise InvalidInput(f"{path}: a log's name ends in .csv or .npz")
        write_whole(path, self._as_csv() if path.suffix == ".csv" else self._as_npz())

    def _as_npz(self) -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **self.arrays())
        return buffer.getvalue()

    def _as_csv(self) -> bytes:
        columns: dict[str, list[Any]] = {}
        for name, array in self.arrays().items():
            values = array.reshape(len(self.time), -1)
            values = values.astype(int) if array.dtype == bool else values
            columns |= zip(COLUMNS[name], values.T.tolist(), strict=False)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return text.getvalue().encode()


def _check_array(name: str, array: NDArray[Any], samples: int) -> None:
    columns = COLUMNS[name]
    shapes = [(samples, len(columns)) if len(columns) > 1 else (samples,)]
    if name == "base_pos":
        shapes.append((samples, 2))
    if array.shape not in shapes:
        raise InvalidInput(f"{name} has the shape {array.shape}; it must be {' or '.join(map(str, shapes))}")
    if samples == 0:
        raise InvalidInput(f"{name} is empty; a run has at least one sample")
    kind = np.bool_ if name in CONTACTS else np.float64
    if array.dtype != kind:
        raise InvalidInput(f"{name} is of {array.dtype}; it must be of {np.dtype(kind)}")
    wrong = np.argwhere(~np.isfinite(array.reshape(samples, -1)))
    if len(wrong):
        row, column = wrong[0]
        value = array.reshape(samples, -1)[row, column]
        raise InvalidInput(f"{columns[column]}, row {row + 1}: {value}; every value must be finite")


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    found: dict[str, Any] = read_npz(path, COLUMNS)
    for name in REQUIRED:
        if name not in found:
            raise InvalidInput(f"there is no array {name}; needed: {', '.join(REQUIRED)}; read: {', '.join(COLUMNS)}")
    return {
        name: _as_flags(name, array) if name in CONTACTS else _as_numbers(name, array) for name, array in found.items()
    }


def _as_numbers(name: str, array: NDArray[Any]) -> Array:
    if array.dtype.kind not in "fiu":
        raise InvalidInput(f"{name} is of {array.dtype}; it must hold numbers")
    return array.astype(np.float64)


def _as_flags(name: str, array: NDArray[Any]) -> Flags:
    if array.dtype.kind not in "bfiu":
        raise InvalidInput(f"{name} is of {array.dtype}; it must hold true and false, or 0 and 1")
    wrong = np.argwhere((array != 0) & (array != 1))
    if len(wrong):
        raise InvalidInput(f"{name}, row {wrong[0][0] + 1}: {array[tuple(wrong[0])]}; it must be 0 or 1")
    return array.astype(np.bool_)


def _read_csv(path: Path) -> dict[str, NDArray[Any]]:
    try:
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
        rows = list(csv.reader(lines))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise InvalidInput(f"the file is not text in columns: {problem}") from None
    if not rows:
        raise InvalidInput("the file is empty; a run has at least one sample")
    header = [name.strip() for name in rows[0]]
    if len(header) == len(PUBLISHED_HEADER) and all(map(_is_number, header)):
        header = list(PUBLISHED_HEADER)
    else:
        del rows[0]
    if not rows:
        raise InvalidInput("there is a header and no sample; a run has at least one")
    for row, cells in enumerate(rows, start=1):
        if len(cells) != len(header):
            raise InvalidInput(f"row {row} has {len(cells)} cells, and the header {len(header)} columns")
    places = _places(header)
    return {
        name: (_flag_cells if name in CONTACTS else _number_cells)(rows, header, found)
        for name, found in places.items()
    }


def _places(header: Sequence[str]) -> dict[str, list[int]]:
    """Column numbers of each array that is in the log."""
    for name in header:
        if header.count(name) > 1:
            raise InvalidInput(f"column {name} is there {header.count(name)} times")
    places = {}
    for name, columns in COLUMNS.items():
        missing = [column for column in columns if column not in header]
        if missing == ["base_z"]:
            columns, missing = columns[:2], []
        if len(missing) < len(columns) or name in REQUIRED:
            if missing:
                read = ", ".join(column for names in COLUMNS.values() for column in names)
                raise InvalidInput(f"there is no column {', '.join(missing)}; the columns that are read: {read}")
            places[name] = [header.index(column) for column in columns]
    return places


def _number_cells(rows: Sequence[Sequence[str]], header: Sequence[str], places: Sequence[int]) -> Array:
    try:
        values = np.array([[float(cells[place]) for place in places] for cells in rows])
    except ValueError:
        row, place = next(
            (row, place) for row, cells in enumerate(rows, 1) for place in places if not _is_number(cells[place])
        )
        raise InvalidInput(f"{header[place]}, row {row}: {rows[row - 1][place]!r} is not a number") from None
    return values if len(places) > 1 else values[:, 0]


def _flag_cells(rows: Sequence[Sequence[str]], header: Sequence[str], places: Sequence[int]) -> Flags:
    for row, cells in enumerate(rows, start=1):
        for place in places:
            if cells[place].strip().lower() not in _TRUTH:
                raise InvalidInput(
                    f"{header[place]}, row {row}: {cells[place]!r}; it must be one of {', '.join(_TRUTH)}"
                )
    values = np.array([[_TRUTH[cells[place].strip().lower()] for place in places] for cells in rows])
    return values if len(places) > 1 else values[:, 0]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
