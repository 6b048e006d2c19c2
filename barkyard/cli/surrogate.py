"""`barkyard surrogate`: logs of a simulated robot with hidden dynamics, where no real robot is at hand."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Progress, Quiet, print_text
from barkyard.errors import InvalidInput


def surrogate(
    robot: Annotated[Positional[str], arg(metavar="ROBOT")],
    commands: Annotated[Positional[tuple[Path, ...]], arg(metavar="COMMANDS")],
    /,
    *,
    out: Annotated[Path, arg(metavar="FOLDER")],
    seed: int = 0,
    repeat: int = 0,
    force: bool = False,
    quiet: Quiet = False,
) -> int:
    """Play command files on a surrogate robot, and write what it measures. The logs say that they are no real ones.

    Args:
        robot: the robot that it stands in for, such as panda or barkour_vb.
        commands: files of barkyard calibrate --design.
        out: a log of the same name for every file goes here, as .npz.
        seed: which surrogate; its friction, play, delays and so on are drawn from this.
        repeat: number of the run; noise and jitter differ between runs of one surrogate.
        force: write over earlier logs.
        quiet: show no progress.
    """
    from barkyard.calibration.excitation import CommandFile
    from barkyard.envs.surrogate_stand import RealSurrogate

    if not commands:
        raise InvalidInput("name at least one command file; barkyard calibrate --design writes them")
    goals = [out / f"{path.stem}.npz" for path in commands]
    for path, goal in zip(commands, goals, strict=True):
        if goals.count(goal) > 1 or goal.resolve() == path.resolve():
            raise InvalidInput(f"{path} would be logged to {goal}, which is taken; choose another name or folder")
        if goal.exists() and not force:
            raise InvalidInput(f"{goal} is there already; choose another folder, or add --force to write over it")
    stand = RealSurrogate(robot, seed)
    files = [CommandFile.load(path) for path in commands]
    for path, file in zip(commands, files, strict=True):
        if file.joints != stand.robot.joints:
            raise InvalidInput(f"{path} is for joints {list(file.joints)}; {robot} has {list(stand.robot.joints)}")
    with Progress(f"playing on {robot}'s surrogate {seed}", len(files), unit="files", quiet=quiet) as progress:
        for number, (file, goal) in enumerate(zip(files, goals, strict=True), start=1):
            stand.play(file.t, file.q_cmd, repeat).save(goal)
            progress.advance(number)
    print_text("\n".join(f"{goal} (source: surrogate {seed})" for goal in goals))
    return 0
