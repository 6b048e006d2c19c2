"""`barkyard convert`: datasets to and from other libraries' formats."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Quiet, print_text
from barkyard.errors import DatasetError, InvalidInput

_HDF5 = (".hdf5", ".h5")


def convert(
    source: Annotated[Positional[Path], arg(metavar="SOURCE")],
    out: Annotated[Positional[Path], arg(metavar="OUT")],
    /,
    *,
    filter_key: str | None = None,
    quiet: Quiet = False,
) -> int:
    """Convert a dataset: a folder of ours into robomimic's HDF5 file, or such a file into a folder of ours.

    Args:
        source: the dataset's folder, or robomimic's file (.hdf5).
        out: where to write; a file that ends in .hdf5, or a new folder.
        filter_key: of robomimic's file, only the demonstrations under this key of its mask.
        quiet: print nothing.
    """
    to_file = out.suffix in _HDF5
    if to_file == (source.suffix in _HDF5):
        raise InvalidInput(f"one of {source} and {out} must end in .hdf5, robomimic's file, and the other be a folder")
    if to_file and filter_key is not None:
        raise InvalidInput("--filter-key chooses among the demonstrations of robomimic's file; a folder has none")
    try:
        from barkyard.datasets.robomimic import read_robomimic, write_robomimic
    except ImportError as error:
        raise InvalidInput("robomimic's files need h5py; install it with: pip install 'barkyard[robomimic]'") from error
    from barkyard.datasets import Dataset, DatasetWriter

    if to_file:
        count = write_robomimic(Dataset.open(source), out)
    else:
        episodes = read_robomimic(source, filter_key)
        first = next(episodes, None)
        if first is None:
            raise DatasetError(f"{source} holds no demonstrations")
        with DatasetWriter.create(out, first) as writer:
            writer.write(first)
            count = 1 + sum(1 for episode in episodes if writer.write(episode) is not None)
    if not quiet:
        print_text(f"{count} episodes from {source} to {out}")
    return 0
