"""`barkyard predict`: what the robot will do, from many simulated trials and few real ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from barkyard.cli.correlate import named_result, printable, real_trials
from barkyard.cli.opening import typed_command
from barkyard.cli.terminal import Json, print_json, print_note, print_text, table
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from barkyard.evaluation.robot_prediction import RobotPrediction


def predict(
    sim: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME=]SIM.json")] = (),
    /,
    *,
    real: Annotated[tuple[str, ...], arg(metavar="[NAME=]FILE")] = (),
    plan: int | None = None,
    out: Annotated[Path | None, arg(metavar="FOLDER")] = None,
    as_json: Json = False,
) -> int:
    """Real success rates from few real and many simulated trials, and the probability that one policy beats another.

    Real trials are paired with the simulated ones of the same seed. They have to be all of the seeds, the first ones,
    or the first of --plan: seeds picked by hand are refused.

    Args:
        sim: results of barkyard evaluate, one a policy, on common seeds; NAME= names the policy. With
            randomization=posterior the calibration's uncertainty is part of the answer.
        real: tables of real trials (.csv or .json with policy, task, trial, success; trial is the seed whose scene was
            laid out), or results of source surrogate or real. Without them the answer rests on an assumed gap.
        plan: print the first this many seeds to try on the robot, in a random order that nobody chose, and do nothing
            else.
        out: where prediction.json and prediction.html go.
        as_json: print JSON.
    """
    from barkyard.evaluation.robot_prediction import predict_robot

    if not sim:
        raise InvalidInput("give results of barkyard evaluate, one a policy")
    results = [named_result(word) for word in sim]
    if plan is not None:
        return _plan([str(record.seed) for record in results[0][1].episodes], plan, as_json)
    found = predict_robot(results, real_trials(real) if real else None, typed_command())
    if out is not None:
        found.save(out)
        print_note(f"the report is {out / 'prediction.html'}")
    if as_json:
        print_json(found.to_json())
    else:
        print_text(printable(_in_words(found)))
    return 0


def _in_words(found: "RobotPrediction") -> str:
    lines = [] if found.real_source == "real" else [f"the real side is a {found.real_source}, not a robot"]
    if found.ranking is not None:
        best = sorted(found.ranking.best.items(), key=lambda item: -item[1])
        lines += [table(("policy", "probability to be the best"), [(n, f"{share:.2f}") for n, share in best]), ""]
    return "\n".join([*lines, *found.words, *(f"note: {note}" for note in found.notes)])


def _plan(conditions: list[str], count: int, as_json: bool) -> int:
    from barkyard.evaluation.prediction_powered import planned_conditions

    if not 1 <= count <= len(conditions):
        raise InvalidInput(f"--plan is {count}; the results have {len(conditions)} seeds: give 1 to {len(conditions)}")
    order = planned_conditions(conditions)[:count]
    if as_json:
        print_json({"trials": order})
    else:
        print_text("\n".join(order))
    return 0
