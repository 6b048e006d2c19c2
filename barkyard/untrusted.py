"""Reading what others wrote: JSON and NPZ that may be damaged, deep or huge, with one kind of error."""

import json
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from barkyard.errors import InvalidInput

LARGEST_ARRAYS: Final = 2_000_000_000
"""Bytes that the arrays of one NPZ file may take, so that a small file cannot fill the memory; a choice."""
_DIGITS: Final = 19


def parse_json(text: str | bytes) -> Any:
    """What JSON says. Whole numbers of more than 19 digits are floats, so that no arithmetic on them fails.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) <= _DIGITS else float(digits))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_npz(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Those of the arrays that an NPZ file has; none of objects, which would be code.

    Raises:
        InvalidInput: it is no NPZ file of plain arrays, is damaged, or its arrays are too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = set(archive.namelist())
            wanted = [name for name in names if f"{name}.npy" in inside]
            _check_sizes(archive, wanted)
            found: dict[str, NDArray[Any]] = {}
            for name in wanted:
                with archive.open(f"{name}.npy") as member:
                    found[name] = npy.read_array(member, allow_pickle=False)  # type: ignore[no-untyped-call]
            return found
    except (
        *(ValueError, EOFError, KeyError, OSError, TypeError, SyntaxError, OverflowError, MemoryError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error, NotImplementedError, tokenize.TokenError),
    ) as problem:
        raise InvalidInput(f"the file is cut short, damaged, or not an NPZ file of plain arrays: {problem}") from None


def _check_sizes(archive: zipfile.ZipFile, names: Iterable[str]) -> None:
    """Before any memory is taken: what the archive says of its members, and what their headers say."""
    total = 0
    for name in names:
        total += archive.getinfo(f"{name}.npy").file_size
        with archive.open(f"{name}.npy") as member:
            version = npy.read_magic(member)  # type: ignore[no-untyped-call]
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(member)  # type: ignore[no-untyped-call]
            total = max(total, int(np.prod([float(size) for size in shape])) * dtype.itemsize)
        if total > LARGEST_ARRAYS:
            raise ValueError(f"its arrays take {total:,} bytes, of which {LARGEST_ARRAYS:,} are read")
