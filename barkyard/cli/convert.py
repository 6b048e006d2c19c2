"""`barkyard convert`: datasets to and from other libraries' formats."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Quiet, print_note, print_text
from barkyard.episode import Episode
from barkyard.errors import DatasetError, InvalidInput

if TYPE_CHECKING:
    from barkyard.datasets import Dataset

_HDF5: Final = (".hdf5", ".h5")


@dataclass(frozen=True)
class _Import:
    """Episodes of another library's dataset, and what our description of it says beside them."""

    episodes: Iterator[Episode]
    tasks: Sequence[str] = ()
    robot_type: str | None = None
    notes: Sequence[str] = ()


def convert(
    source: Annotated[Positional[Path], arg(metavar="SOURCE")],
    out: Annotated[Positional[Path], arg(metavar="OUT")],
    /,
    *,
    to: Literal["robomimic", "minari"] | None = None,
    filter_key: str | None = None,
    fps: int | None = None,
    origin: Literal["sim", "real"] | None = None,
    without: tuple[str, ...] = (),
    quiet: Quiet = False,
) -> int:
    """Convert a dataset of ours for robomimic or Minari, or one of robomimic, Minari or LeRobot into one of ours.

    Args:
        source: a dataset's folder (ours, Minari's or LeRobot's), or robomimic's file (.hdf5).
        out: where to write: a new folder; or a file that ends in .hdf5, which is for robomimic.
        to: of a dataset of ours: what for; by default for robomimic where OUT ends in .hdf5.
        filter_key: of robomimic's file, only the demonstrations under this key of its mask.
        fps: of a dataset of Minari, control steps a second, which its files do not tell.
        origin: of a dataset of LeRobot, whether a simulation or a real robot made it, which its files do not tell.
        without: of a dataset of LeRobot, features to leave out, such as observation.images.depth.
        quiet: print nothing.
    """
    from barkyard.datasets import Dataset, DatasetSpec, DatasetWriter

    if not source.exists():
        raise InvalidInput(f"{source} does not exist")
    kind = _kind(source)
    given = {"--filter-key": filter_key, "--fps": fps, "--origin": origin, "--without": without}
    _check_options(source, kind, given)
    if kind == "ours":
        count = _exporter(source, out, to)(Dataset.open(source), out)
    else:
        if to is not None or out.suffix in _HDF5:
            raise InvalidInput(f"{source} becomes a dataset of ours, so OUT is a new folder; convert that one then")
        found = _import(source, kind, filter_key, fps, origin, without)
        first = next(found.episodes, None)
        if first is None:
            raise DatasetError(f"{source} holds no demonstrations")
        task = found.tasks[0] if len(found.tasks) == 1 else None
        with DatasetWriter.create(out, DatasetSpec.of(first, task=task, robot_type=found.robot_type)) as writer:
            writer.write(first)
            count = 1 + sum(1 for episode in found.episodes if writer.write(episode) is not None)
        for note in found.notes:
            print_note(f"note: {note}")
    if not quiet:
        print_text(f"{count} episodes from {source} to {out}")
    return 0


def _kind(source: Path) -> str:
    """What lies at `source`: `ours`, `robomimic`, `minari` or `lerobot`."""
    from barkyard.datasets.lerobot import is_foreign_lerobot

    if source.suffix in _HDF5:
        return "robomimic"
    if (source / "data/metadata.json").is_file():
        return "minari"
    return "lerobot" if is_foreign_lerobot(source) else "ours"


_OPTIONS: Final = {
    "--filter-key": ("robomimic", "chooses among the demonstrations of robomimic's file"),
    "--fps": ("minari", "tells the control period of a dataset of Minari"),
    "--origin": ("lerobot", "tells where a dataset of LeRobot comes from"),
    "--without": ("lerobot", "leaves features of a dataset of LeRobot out"),
}


def _check_options(source: Path, kind: str, given: Mapping[str, object]) -> None:
    for option, value in given.items():
        meant, does = _OPTIONS[option]
        if value and kind != meant:
            raise InvalidInput(f"{option} {does}, and {source} is none")


def _exporter(source: Path, out: Path, to: str | None) -> "Callable[[Dataset, Path], int]":
    if to is None and out.suffix not in _HDF5:
        raise InvalidInput(
            f"{source} is no other library's dataset, and {out} does not end in .hdf5, robomimic's file; for Minari "
            "add --to minari. LeRobot opens it as it is"
        )
    if to == "minari":
        return _needs_h5py("minari").write_minari
    return _needs_h5py("robomimic").write_robomimic


def _import(
    source: Path, kind: str, filter_key: str | None, fps: int | None, origin: str | None, without: Sequence[str]
) -> _Import:
    if kind == "robomimic":
        return _Import(_needs_h5py("robomimic").read_robomimic(source, filter_key))
    if kind == "minari":
        return _Import(_needs_h5py("minari").read_minari(source, fps))
    from barkyard.datasets.lerobot import read_lerobot, read_lerobot_info

    if origin is None:
        raise InvalidInput(
            "LeRobot's files do not say whether a robot or a simulation made them; add --origin real or --origin sim"
        )
    info = read_lerobot_info(source, without)
    notes = []
    if not info.says_success:
        notes.append(f"{source} does not say which episodes succeeded; none counts as a success")
    if len(info.tasks) > 1:
        notes.append(f"{source} has {len(info.tasks)} tasks; each episode's is its metric task_index")
    return _Import(read_lerobot(info, origin), tasks=info.tasks, robot_type=info.robot_type, notes=notes)


def _needs_h5py(name: str) -> Any:
    """Our module for a format that is kept in HDF5. Raises InvalidInput where h5py is absent."""
    try:
        return importlib.import_module(f"barkyard.datasets.{name}")
    except ImportError as error:
        raise InvalidInput(f"this needs h5py; install it with: pip install 'barkyard[{name}]'") from error
