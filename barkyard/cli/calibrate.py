"""`barkyard calibrate`: the parameters of a robot's servos from recordings of the real one."""

import math
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Json, Quiet, print_json, print_note, print_text, table
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from barkyard.calibration import Outcome, PlantModel, RobotLog
    from barkyard.calibration.plant import Plant
    from barkyard.calibration.tool import ToolPlant

UNIT_RANGE = ":range"
"""After a joint's name: its column runs from 0 to 1 over the joint's range."""


def calibrate(
    logs: Annotated[Positional[tuple[Path, ...]], arg(metavar="LOGS")] = (),
    /,
    *,
    out: Annotated[Path, arg(metavar="FOLDER")],
    model: Annotated[str, arg(metavar="ROBOT|FILE.xml")] = "",
    design: Annotated[str | None, arg(metavar="ROBOT")] = None,
    kind: Literal["chirp", "multisine", "prbs"] = "chirp",
    duration: float = 20.0,
    held_out: tuple[Path, ...] = (),
    split: float | None = None,
    rename: Annotated[tuple[str, ...], arg(metavar="COLUMN=JOINT")] = (),
    skip: tuple[str, ...] = (),
    stretch: Annotated[tuple[str, ...], arg(metavar="RECORDING=START:STOP")] = (),
    servo_gains: Annotated[tuple[float, float] | None, arg(metavar="KP KD")] = None,
    quantities: tuple[str, ...] = (),
    shared: tuple[str, ...] = (),
    payload: tuple[str, ...] = (),
    centre_of_mass: tuple[str, ...] = (),
    floor: float | None = None,
    tool: Annotated[str | None, arg(metavar="SITE")] = None,
    timestep: float | None = None,
    loss_scale: float = 0.02,
    starts: int = 64,
    samples: int = 200,
    seed: int = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Identify a robot's servos from recordings, say what the recordings determine, and test on others.

    Writes calibration.json, for environments, and report.html into the folder.

    Args:
        logs: .npz or .csv recordings of commanded and measured joint angles, or folders of datasets.
        out: the folder to write; with --design the .npz or .csv file.
        model: a robot of barkyard, or an MJCF file with an actuator a joint.
        design: write commands to play on this real robot, and fit nothing.
        kind: of the commands to design.
        duration: of the commands to design, in seconds.
        held_out: recordings that the fit does not see.
        split: fit this first part of every recording and hold out the rest, for a robot with one recording.
        rename: the model's joint for a column of another name; COLUMN=JOINT:range if it runs from 0 to 1.
        skip: columns to leave out; their joints are held where the model has them.
        stretch: take only these seconds of a recording, such as run1=0:110 where its stamps slip later.
        servo_gains: of the position controller, for a model with torque motors.
        quantities: what to identify of every joint; by default all that a position log can show.
        shared: quantities with one value for all joints.
        payload: bodies that carry a point mass of unknown size.
        centre_of_mass: bodies, such as those with a payload, whose centre of mass is unknown.
        floor: height in metres of a surface that the robot touched, in the model's world.
        tool: recordings are .npz of the poses of this site that were commanded and measured; fit these.
        timestep: of the physics in seconds; the model's own by default.
        loss_scale: deviations in radians beyond this count linearly, not squared.
        starts: random starts of the search.
        samples: draws from the posterior to keep.
        seed: of the starts and the draws.
        as_json: print the calibration as JSON.
        quiet: show no progress.
    """
    from barkyard import calibration as room

    if design is not None:
        return _write_design(design, kind, duration, seed, out)
    if not logs:
        raise InvalidInput("there is no recording; give .npz or .csv files, or --design ROBOT for what to record")
    if split is not None and held_out:
        raise InvalidInput("--split and --held-out both say what to hold out; give one")
    robot = replace(open_model(model, servo_gains), floor=floor)
    if tool is None:
        data = _read_joints(logs, held_out, robot, rename, skip, stretch, split)
    elif split is not None or stretch or rename or skip:
        raise InvalidInput("--tool takes whole recordings; leave out --split, --stretch, --rename and --skip")
    else:
        data = _read_tool(logs, held_out, robot, tool)
    step, sought = timestep or float(robot.shipped.opt.timestep), quantities or room.DEFAULT_QUANTITIES
    unknowns = room.default_unknowns(
        robot, data.joints, step, sought, shared=shared, payloads=payload, centres=centre_of_mass
    )
    search = room.FitConfig(loss_scale=loss_scale, starts=starts, seed=seed)
    if data.view is not None:  # a tool shows no joint by itself, and no state to begin a stretch in
        unknowns = tuple(replace(unknown, joint="") for unknown in unknowns)
        search = replace(search, window=math.inf)
    config = room.CalibrateConfig(fit=search, timestep=timestep, samples=samples)
    outcome = room.calibrate(robot, data.train, data.test, unknowns, config, _progress(quiet), data.view)
    _write(outcome, out, as_json)
    return 0


@dataclass(frozen=True)
class _Recordings:
    """What to fit and to test on: recordings, the joints that they show, and the tool where it is shown instead."""

    train: tuple["RobotLog", ...]
    test: tuple["RobotLog", ...]
    joints: tuple[str, ...]
    view: "Callable[[Plant], ToolPlant] | None" = None


def _write(outcome: "Outcome", out: Path, as_json: bool) -> None:
    from barkyard.calibration.report import write_report

    made = outcome.calibration()
    made.save(out / "calibration.json")
    write_report(outcome, out / "report.html", command=shlex.join(["barkyard", *sys.argv[1:]]))
    if as_json:
        print_json(made.as_json())
    else:
        print_text(in_words(outcome))
    print_note(f"written to {out}: calibration.json, report.html")


def _write_design(robot: str, kind: str, duration: float, seed: int, out: Path) -> int:
    from barkyard.calibration.excitation import design

    commands = design(robot, kind=kind, duration=duration, seed=seed)
    commands.save(out)
    print_note(f"written to {out}: {kind}, {commands.t[-1]:.1f} s, {len(commands.joints)} joints")
    return 0


def open_model(model: str, servo_gains: tuple[float, float] | None) -> "PlantModel":
    """The robot of that name, or the MJCF file. Raises InvalidInput."""
    from barkyard.assets.robots import ROBOTS, load_robot, robot_fingerprint
    from barkyard.assets.servos import servo_spec
    from barkyard.calibration import PlantModel

    if model in ROBOTS:
        return PlantModel.from_spec(model, servo_spec(load_robot(model)), robot_fingerprint(model))
    path = Path(model)
    if path.suffix != ".xml" or not path.is_file():
        raise InvalidInput(f"--model is {model!r}; give an MJCF file or one of {', '.join(sorted(ROBOTS))}")
    return PlantModel.from_mjcf(path, servo_gains)


def read_logs(
    paths: Sequence[Path], model: "PlantModel", rename: Sequence[str], skip: Sequence[str]
) -> tuple["RobotLog", ...]:
    """Recordings with the model's names. Raises InvalidInput naming file, column and row."""
    names, ranges = {}, []
    for words in rename:
        column, _, joint = words.partition("=")
        if not joint:
            raise InvalidInput(f"--rename has {words!r}; give COLUMN=JOINT")
        names[column] = joint.removesuffix(UNIT_RANGE)
        ranges += [names[column]] if joint.endswith(UNIT_RANGE) else []
    found = []
    for log in (log for path in paths for log in _opened(path, model)):
        log = log.without(skip).named(
            {column: joint for column, joint in names.items() if column not in skip}, model.joints
        )
        for joint in ranges:
            log = log.rescaled(joint, *map(float, model.shipped.joint(joint).range))
        found.append(log)
    return tuple(found)


def _opened(path: Path, model: "PlantModel") -> Sequence["RobotLog"]:
    """A file's recording, or those of a dataset's episodes."""
    from barkyard.calibration import RobotLog
    from barkyard.calibration.dataset_logs import read_dataset

    return read_dataset(path, model.joints) if path.is_dir() else [RobotLog.load(path)]


def _read_joints(
    logs: Sequence[Path],
    held_out: Sequence[Path],
    model: "PlantModel",
    rename: Sequence[str],
    skip: Sequence[str],
    stretches: Sequence[str],
    part: float | None,
) -> _Recordings:
    from barkyard.calibration import split

    train, test = (read_logs(paths, model, rename, skip) for paths in (logs, held_out))
    _check_stretches(stretches, [log.name for log in (*train, *test)])
    train, test = cut(train, stretches), cut(test, stretches)
    if part is not None:
        train, test = split(train, part)
    return _Recordings(train, test, train[0].joints)


def _read_tool(logs: Sequence[Path], held_out: Sequence[Path], model: "PlantModel", site: str) -> _Recordings:
    from barkyard.calibration.tool import ToolPlant, read_tool_recording

    train, test = ([read_tool_recording(path, model, site) for path in paths] for paths in (logs, held_out))
    known = {recording.log.name: recording for recording in (*train, *test)}
    return _Recordings(
        tuple(recording.log for recording in train),
        tuple(recording.log for recording in test),
        train[0].joint_log.joints,
        lambda plant: ToolPlant(plant, model, site, known),
    )


def cut(logs: Sequence["RobotLog"], stretches: Sequence[str]) -> tuple["RobotLog", ...]:
    """The recordings, of which those that `stretches` name have only those seconds. Raises InvalidInput."""
    found = []
    for log in logs:
        for words in stretches:
            name, seconds = words.partition("=")[::2]
            if name == log.name:
                log = log.between(*_seconds(words, seconds))
        found.append(log)
    return tuple(found)


def _seconds(words: str, seconds: str) -> tuple[float, float]:
    try:
        start, stop = (float(part) for part in seconds.split(":"))
    except ValueError:
        raise InvalidInput(
            f"--stretch has {words!r}; give RECORDING=START:STOP in seconds, such as run1=0:110"
        ) from None
    return start, stop


def _check_stretches(stretches: Sequence[str], names: Sequence[str]) -> None:
    for words in stretches:
        if words.partition("=")[0] not in names:
            raise InvalidInput(f"--stretch has {words!r}; the recordings are {', '.join(names)}")


def in_words(outcome: "Outcome") -> str:
    """Errors, parameters, what cannot be told apart, and remarks."""
    from barkyard.calibration.report import error_rows, error_unit, parameter_rows, recording_rows, scale_rows

    header = tuple(f"{column} [{error_unit(outcome)}]" for column in ("fitted", "as shipped", "command"))
    parts = []
    for title, errors in (("held out", outcome.held_out), ("fitted recordings", outcome.training)):
        if errors:
            rows = [*error_rows(outcome, errors), *recording_rows(errors)]
            parts.append(table((title, *header), rows))
    parts.append(table(("parameter", "estimate", "95 % interval", "unit", "verdict"), parameter_rows(outcome)))
    scales = scale_rows(outcome)
    if scales:
        parts.append(table(("joint", "unit of torque", "ratios to the position gain, 95 %"), scales))
    verdict, known = outcome.identifiability, outcome.uncertainty
    lines = [
        f"cannot be told apart: {pair.first} and {pair.second} (correlation {pair.correlation:.3f})"
        for pair in verdict.trade_offs
    ]
    lines += [f"note: {remark}" for remark in outcome.remarks]
    lines.append(
        f"{outcome.seconds:.0f} s; condition {verdict.condition:.2g}; intervals from {known.blocks} blocks of "
        f"{known.block_seconds:.1f} s, deviations correlated over {known.memory_seconds:.1f} s"
    )
    return "\n\n".join([*parts, "\n".join(lines)])


def _progress(quiet: bool) -> Callable[[str, float], None]:
    """Prints a line now and then."""
    began = last = time.monotonic()

    def tell(stage: str, cost: float) -> None:
        nonlocal last
        now = time.monotonic()
        if not quiet and now - last > _SECONDS_BETWEEN_LINES:
            last = now
            print_note(f"calibrate: {stage}, cost {cost:.5g}, {now - began:.0f} s")

    return tell


_SECONDS_BETWEEN_LINES = 10.0
