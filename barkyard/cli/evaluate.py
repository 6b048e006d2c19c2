"""`barkyard evaluate`: how often an actor succeeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from barkyard.cli.fleet import Fleet, FleetWords, evaluate_by_fleet
from barkyard.cli.opening import (
    DEFAULT_NUM_ENVS,
    environment_arguments,
    make_actor,
    open_environment,
    typed_command,
)
from barkyard.cli.terminal import Json, Progress, Quiet, print_json, print_text
from barkyard.errors import BarkyardError, InvalidInput
from barkyard.policies.latency import Latency

if TYPE_CHECKING:
    from barkyard.evaluation import EvalResult


def evaluate(
    env: Annotated[Positional[str], arg(metavar="ENV")],
    /,
    *,
    actor: Annotated[tuple[str, ...], arg(metavar="[NAME=]expert|random|CHECKPOINT")],
    out: Annotated[Path, arg(metavar="FILE.json|FOLDER")],
    against: Annotated[tuple[str, ...], arg(metavar="[NAME=]RESULT.json")] = (),
    margin: float = 0.05,
    level: float = 0.05,
    episodes: int = 100,
    num_envs: int = DEFAULT_NUM_ENVS,
    seed_start: int = 0,
    noise: float = 0.0,
    delay: int = 0,
    real_time_chunking: bool = False,
    videos: int = 0,
    video_dir: Path | None = None,
    camera: str | None = None,
    env_kwargs: tuple[str, ...] = (),
    embodiments: Annotated[tuple[str, ...], arg(metavar="SET|FILE|NAME")] = (),
    fleet: FleetWords = Fleet(),  # noqa: B008
    force: bool = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Run episodes with seeds that collection refuses, and count successes.

    With several actors, or --against, it stops as soon as it is known who is better, and says how many episodes that
    saved. Beaten actors are dropped on the way.

    Args:
        env: the environment's id; `barkyard envs` lists them.
        actor: who acts; several are compared on common seeds.
        out: where the result goes; a folder for several actors or embodiments.
        against: earlier results to compare with on their seeds.
        margin: of a comparison of two: a smaller difference does not matter.
        level: of a comparison: how often it may be wrong, whenever it stops.
        episodes: how many episodes of each actor, at most.
        num_envs: environments stepped side by side; changes the time, not the result.
        seed_start: skip this many of the evaluation seeds.
        noise: standard deviation of normal noise that is added to every action; makes an actor as bad as is wanted.
        delay: control steps by which every chunk of a policy's actions is late; until then the one before goes on.
        real_time_chunking: predict each chunk so that it goes on from the one before; see docs/diffusion.md.
        videos: film this many episodes; of a run over the agility course this also keeps a log for barkyard score
            and a picture of its path.
        video_dir: where videos go; for RUN/results/NAME.json and RUN/NAME.json it is RUN/videos/NAME unless given.
        camera: which camera films; by default the environment's own choice.
        env_kwargs: arguments of the environment, as key=value or a JSON object.
        embodiments: evaluate with each of these in turn, and print means with intervals that take an embodiment's
            episodes for alike: sets of the hands' split (train, validation, test_graph, test_length, test_both),
            files with a name on each line, or names. --out is a folder; the same command goes on where it was stopped.
        fleet: who does the work; by default this process, in one go.
        force: write over an earlier result.
        as_json: print the result as JSON.
        quiet: show no progress.
    """
    from barkyard.evaluation import EpisodeRecord, EvaluationInterrupted, evaluation_seeds
    from barkyard.evaluation import evaluate as run_evaluation

    latency = Latency(delay, real_time_chunking)
    if latency != Latency() and (len(actor) > 1 or against or fleet.backend is not None):
        raise InvalidInput("--delay and --real-time-chunking evaluate one actor in this process: leave out the others")
    if embodiments:
        from barkyard.cli.embodiments import EmbodimentWords, evaluate_embodiments

        if len(actor) != 1 or against or videos:
            raise InvalidInput("--embodiments takes one --actor, and neither --against nor --videos")
        arguments = environment_arguments(env_kwargs)
        many = EmbodimentWords(
            env, arguments, actor[0], embodiments, out, episodes, seed_start, num_envs, noise, force, fleet
        )
        return evaluate_embodiments(many, as_json, quiet)
    if len(actor) > 1 or against:
        from barkyard.cli.racing import RaceWords, run_race

        if videos:
            raise InvalidInput("--videos films an evaluation of one actor; barkyard replay films any seed of a result")
        arguments = environment_arguments(env_kwargs)
        words = RaceWords(
            env, arguments, actor, against, out, episodes, seed_start, num_envs, noise, margin, level, force, fleet
        )
        return run_race(words, as_json, quiet)
    if not actor:
        raise InvalidInput("--actor is empty; give expert, random or the folder of a checkpoint")
    _check_out(out, force)
    seeds = evaluation_seeds(episodes, seed_start)
    if fleet.backend is not None:
        if videos:
            raise InvalidInput("--videos films in this process alone: leave out --backend, or the videos")
        arguments, envs = environment_arguments(env_kwargs), min(num_envs, episodes)
        return _finish(evaluate_by_fleet(fleet, env, arguments, actor[0], noise, envs, seeds, out, quiet), out, as_json)
    successes = done = 0
    with (
        open_environment(env, min(num_envs, episodes), environment_arguments(env_kwargs)) as batch,
        Progress(f"evaluating {actor[0]} on {env}", episodes, unit="episodes", quiet=quiet) as progress,
    ):
        who, fingerprints = make_actor(actor[0], batch, noise, latency)

        def count(record: EpisodeRecord) -> None:
            nonlocal successes, done
            successes, done = successes + record.success, done + 1
            progress.advance(done, f"{successes} succeeded")

        try:
            result = run_evaluation(
                batch,
                who,
                seeds,
                on_episode=count,
                videos=videos,
                video_dir=video_dir or _run_folder(out) / "videos" / out.stem,
                camera=camera,
                fingerprints=fingerprints,
                command=typed_command(),
            )
        except EvaluationInterrupted as stopped:
            kept = f"{stopped}. What was finished is in {_partial(out)}; the same command begins again."
            stopped.partial.save(_partial(out))
            if isinstance(stopped.__cause__, KeyboardInterrupt):
                raise KeyboardInterrupt(kept) from None
            raise BarkyardError(kept) from stopped
        except KeyboardInterrupt:
            raise KeyboardInterrupt("No episode was finished; nothing is kept.") from None
    return _finish(result, out, as_json)


def _finish(result: "EvalResult", out: Path, as_json: bool) -> int:
    from barkyard.evaluation.table import metrics_text

    result.save(out)
    _partial(out).unlink(missing_ok=True)
    if as_json:
        print_json({"path": str(out), **result.to_json()})
    else:
        print_text(summary(result))
        if result.metrics():
            print_text(metrics_text(result))
    return 0


def summary(result: "EvalResult") -> str:
    """One line, such as `barkyard/Lift-v0 expert 99/100 = 99.0 % [94.6, 100.0]`."""
    low, high = (100 * bound for bound in result.interval)
    counts = f"{result.num_successes}/{result.num_episodes} = {100 * result.success_rate:.1f} % [{low:.1f}, {high:.1f}]"
    return f"{result.env_id} {result.actor} {counts}"


def _check_out(out: Path, force: bool) -> None:
    if out.suffix != ".json":
        raise InvalidInput(f"--out is {out}; give the name of a file that ends in .json")
    if out.exists() and not force:
        raise InvalidInput(f"{out} is there already; choose another name, or add --force to write over it")


def _run_folder(out: Path) -> Path:
    return out.parent.parent if out.parent.name == "results" else out.parent


def _partial(out: Path) -> Path:
    return out.with_suffix(".partial.json")
