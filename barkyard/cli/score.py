"""`barkyard score`: a run over the agility course, simulated or real, by the course's rules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Json, print_json, print_text, table

if TYPE_CHECKING:
    from barkyard.agility import Score


def score(
    log: Annotated[Positional[Path], arg(metavar="LOG")],
    /,
    *,
    rule: Literal["script", "paper"] = "script",
    mode: Literal["strict", "published"] = "strict",
    course: Annotated[Path | None, arg(metavar="FILE.json")] = None,
    as_json: Json = False,
) -> int:
    """Score a recorded run over the agility course. What the log does not hold is not judged, and that is said.

    Args:
        log: a .csv or .npz file with time and base position, and contacts where they were recorded.
        rule: script counts time continuously and asks for a stay on the end table; paper counts full seconds.
        mode: strict asks for order, direction, climbing and flight; published is what the published script checks.
        course: a course that differs from the standard one.
        as_json: print JSON.
    """
    from barkyard.agility import Course, Trajectory, load_course, score_trajectory

    layout = Course.standard() if course is None else load_course(course)
    result = score_trajectory(Trajectory.load(log), layout, rule, mode)
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
