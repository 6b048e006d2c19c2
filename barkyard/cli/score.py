"""`barkyard score`: a run over the agility course, simulated or real, by the course's rules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Json, print_json, print_note, print_text, table
from barkyard.errors import InvalidInput
from barkyard.files import write_whole

if TYPE_CHECKING:
    from barkyard.agility import Score


def score(
    log: Annotated[Positional[Path], arg(metavar="LOG")],
    /,
    *,
    rule: Literal["script", "paper"] = "script",
    mode: Literal["strict", "published"] = "strict",
    course: Annotated[Path | None, arg(metavar="FILE.json")] = None,
    plot: Annotated[Path | None, arg(metavar="FILE.png")] = None,
    as_json: Json = False,
) -> int:
    """Score a recorded run over the agility course. What the log does not hold is not judged, and that is said.

    Args:
        log: a .csv or .npz file with time and base position, and contacts where they were recorded.
        rule: script counts time continuously and asks for a stay on the end table; paper counts full seconds.
        mode: strict asks for order, direction, climbing and flight; published is what the published script checks.
        course: a course that differs from the standard one.
        plot: draw the path seen from above, with gates, times and speed.
        as_json: print JSON.
    """
    from barkyard.agility import Course, Trajectory, load_course, score_trajectory
    from barkyard.evaluation.path_log import COURSE

    if plot is not None and plot.suffix != ".png":
        raise InvalidInput(f"--plot is {plot}; give the name of a file that ends in .png")
    beside = log.with_suffix(COURSE)
    if course is None and beside.exists():
        print_note(f"scored on the standard course; {beside} is another, for --course")
    layout = Course.standard() if course is None else load_course(course)
    trajectory = Trajectory.load(log)
    result = score_trajectory(trajectory, layout, rule, mode)
    if plot is not None:
        from barkyard.evaluation.path_plot import path_png

        write_whole(plot, path_png(trajectory, layout, result, log.name))
    if as_json:
        print_json({"log": str(log), "course": None if course is None else str(course), **result.to_json()})
    else:
        print_text(in_words(result))
    return 0


def in_words(score: "Score") -> str:
    """The score, a line an obstacle, what was wrong and what could not be judged."""
    from barkyard.agility import FIRST_GATES, GATE_COUNTS, OBSTACLES

    rows = []
    for name, first, count in zip(OBSTACLES, FIRST_GATES, GATE_COUNTS, strict=True):
        times = [time for time in score.gate_times[first : first + count] if time is not None]
        last = f"{times[-1]:.2f} s" if times else ""
        rows.append((name, "yes" if score.completed[name] else "no", f"{len(times)} of {count}", last))
    lines = [
        f"score {score.value:.3f} ({score.rule} rule, {score.mode} mode), run time {score.run_time:.2f} s",
        table(("obstacle", "completed", "gates", "last crossed at"), rows),
        *(f"fault: {words}" for words in score.faults),
        *(f"not judged: {words}" for words in score.not_judged),
    ]
    return "\n".join(lines)
