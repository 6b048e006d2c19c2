"""`barkyard bisect`: at which checkpoint an episode began to fail."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from barkyard.cli.correlate import printable
from barkyard.cli.opening import environment_arguments, make_actor, open_environment
from barkyard.cli.terminal import Json, print_json, print_note, print_text
from barkyard.errors import InvalidInput


def bisect(
    env: Annotated[Positional[str], arg(metavar="ENV|RESULT.json")],
    checkpoints: Annotated[Positional[tuple[str, ...]], arg(metavar="CHECKPOINT [CHECKPOINT ...]")],
    /,
    *,
    seed: int,
    env_kwargs: tuple[str, ...] = (),
    as_json: Json = False,
) -> int:
    """Find two checkpoints next to each other of which one succeeds from a seed and the other fails.

    Args:
        env: the environment's id, or a result whose environment is meant.
        checkpoints: in the order of training, as RUN/step_*.
        seed: of the episode.
        env_kwargs: arguments of the environment.
        as_json: print JSON.
    """
    from barkyard.evaluation import EvalResult, evaluate
    from barkyard.evaluation.bisect import bisect_outcome

    env_id, arguments = env, environment_arguments(env_kwargs)
    if Path(env).is_file():
        result = EvalResult.load(env)
        env_id, arguments = result.env_id, {**result.env_kwargs, **arguments}
    for word in checkpoints:
        if not Path(word).is_dir():
            raise InvalidInput(f"{word!r} is no folder of a checkpoint")
    with open_environment(env_id, 1, arguments) as batch:

        def succeeds(number: int) -> bool:
            actor, _ = make_actor(checkpoints[number], batch)
            record = evaluate(batch, actor, [seed]).episodes[0]
            print_note(printable(f"{checkpoints[number]}: {record.end.replace('_', ' ')} after {record.length} steps"))
            return record.success

        change = bisect_outcome(succeeds, len(checkpoints))
    before, after = checkpoints[change.before], checkpoints[change.after]
    if as_json:
        tried = {checkpoints[number]: success for number, success in change.outcomes.items()}
        print_json({"seed": seed, "before": before, "after": after, "tried": tried})
    else:
        first, then = ("succeeds", "fails") if change.outcomes[change.before] else ("fails", "succeeds")
        count = f"{len(change.outcomes)} of {len(checkpoints)} checkpoints were tried"
        print_text(printable(f"seed {seed}: {before} {first}, {after} {then} ({count})"))
    return 0
