"""`barkyard compare`: which policy is better?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

from tyro.conf import Positional, arg

from barkyard.cli.correlate import named_result, printable
from barkyard.cli.terminal import Json, print_json, print_note, print_text, table
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from barkyard.evaluation.comparison import Ranking

EXIT_CODES: Final = {"better": 0, "worse": 3, "no practical difference": 4, "not enough evidence": 5}
"""By the verdict of the first policy against the second; with more policies 0 where one is shown to be best, else 5."""


def compare(
    results: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME=]RESULT.json")] = (),
    /,
    *,
    measure: str = "success",
    margin: float = 0.05,
    level: float = 0.05,
    plan: tuple[float, float] | None = None,
    power: float = 0.8,
    discordant: float | None = None,
    as_json: Json = False,
) -> int:
    """Compare policies on one task: better, worse, no practical difference, or not enough evidence.

    Exit codes, of the first policy against the second: 0 better, 3 worse, 4 no practical difference, 5 not enough
    evidence. With more policies: 0 where one is shown to be the best, else 5.

    Args:
        results: results of barkyard evaluate; NAME= names the policy, which is otherwise the result's actor.
        measure: success, or a score or metric of the task.
        margin: a smaller difference does not matter.
        level: how often equal policies may be told apart.
        plan: instead of results two success rates: how many episodes tell them apart.
        power: for --plan, how often they shall be.
        discordant: for --plan, how often only one of the two succeeds on a common seed; by default as if independent.
        as_json: print JSON.
    """
    if plan is not None:
        return _plan(plan, power, level, discordant, bool(results), as_json)
    from barkyard.evaluation.comparison import compare as run_comparison

    ranking = run_comparison([named_result(word) for word in results], measure=measure, margin=margin, level=level)
    code = exit_code(ranking)
    if as_json:
        print_json({"measure": measure, "margin": margin, "level": level, "exit_code": code, **asdict(ranking)})
    else:
        print_text(in_words(ranking, measure, margin))
    for note in ranking.notes:
        print_note(printable(f"note: {note}"))
    return code


def exit_code(ranking: "Ranking") -> int:
    """What a script learns from the comparison."""
    if len(ranking.comparisons) == 1:
        return EXIT_CODES[ranking.comparisons[0].verdict]
    return EXIT_CODES["better" if len(ranking.may_be_best) == 1 else "not enough evidence"]


def in_words(ranking: "Ranking", measure: str, margin: float) -> str:
    """The policies with their intervals, a line a pair, and who may be the best."""
    from barkyard.evaluation.verdicts import mean_words, ranking_words

    rows = [(arm.name, str(arm.episodes), mean_words(arm, measure)) for arm in ranking.arms]
    lines = [table(("policy", "episodes", f"{measure}, 95 % interval"), rows), ""]
    return printable("\n".join([*lines, *ranking_words(ranking, measure, margin)]))


def _plan(
    rates: tuple[float, float], power: float, level: float, discordant: float | None, results: bool, as_json: bool
) -> int:
    from barkyard.evaluation.planning import trials_to_tell_apart

    if results:
        raise InvalidInput("--plan needs no results; leave them or --plan out")
    a, b = rates
    share = a * (1 - b) + b * (1 - a) if discordant is None else discordant
    paired = trials_to_tell_apart(a, b, power=power, level=level, discordant=share)
    unpaired = trials_to_tell_apart(a, b, power=power, level=level)
    if as_json:
        print_json(
            {
                "rates": rates,
                "power": power,
                "level": level,
                "discordant": share,
                "paired": paired,
                "unpaired": unpaired,
            }
        )
    else:
        print_text(
            f"episodes of each policy to tell {100 * a:g} % from {100 * b:g} % with power {power:g} at level {level:g}:"
        )
        rows = [(f"on common seeds, {100 * share:.3g} % of them discordant (McNemar)", str(paired))]
        print_text(table(("", ""), [*rows, ("independent (Fisher; Boschloo needs no more)", str(unpaired))]).strip())
    return 0
