"""Files of results, there whole or not at all."""

from pathlib import Path

from barkyard.errors import ResultError
from barkyard.files import write_whole


def write_atomically(path: Path, content: bytes) -> None:
    """Write `path` whole or not at all; folders are made as needed.

    Raises:
        ResultError: the disk is full or the place cannot be written. An earlier file at `path` is untouched.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise ResultError(
            f"could not write {path} ({len(content)} bytes): {error.strerror}. Free some space or choose another "
            "place, and save again; what was there before is unchanged."
        ) from error
