"""`barkyard search`: where an actor fails."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from barkyard.cli.correlate import printable
from barkyard.cli.opening import environment_arguments, make_actor, open_environment, typed_command
from barkyard.cli.terminal import Json, Progress, Quiet, print_json, print_note, print_text
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barkyard.evaluation import EvalResult

SEARCH_ENVS = 16


def search(
    env: Annotated[Positional[str], arg(metavar="ENV")],
    /,
    *,
    actor: Annotated[str, arg(metavar="expert|random|CHECKPOINT")],
    out: Annotated[Path, arg(metavar="FOLDER")],
    episodes: int = 128,
    variants: Annotated[tuple[str, ...], arg(metavar="[NAME=VALUE|JSON ...]")] = (),
    num_envs: int = SEARCH_ENVS,
    noise: float = 0.0,
    env_kwargs: tuple[str, ...] = (),
    seed: int = 0,
    force: bool = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Look for start states and variants in which an actor fails. What is found is no fair sample, and marked so.

    Every failure is a seed: barkyard replay FOLDER/plain.json --seeds SEED runs and films it, and barkyard bisect finds
    the checkpoint at which it began.

    Args:
        env: the environment's id.
        actor: who acts.
        out: where a result for each variant goes.
        episodes: how many to run, of all variants together.
        variants: changes of the environment to search besides it as it is, as visual=dark.
        num_envs: environments stepped side by side; the search learns after each batch.
        noise: standard deviation of noise that is added to the actions.
        env_kwargs: arguments of the environment in all variants.
        seed: of the search.
        force: write over earlier results.
        as_json: print JSON.
        quiet: show no progress.
    """
    from barkyard.evaluation import evaluation_seeds
    from barkyard.evaluation.failure_search import CANDIDATES, Variant, search_failures

    base = environment_arguments(env_kwargs)
    settings = {"plain": base, **{word: {**base, **environment_arguments((word,))} for word in variants}}
    files = {name: out / f"{_file_name(name)}.json" for name in settings}
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"--out is {out}, which is a file; give a folder")
    there = [file for file in files.values() if file.exists()]
    if there and not force:
        raise InvalidInput(f"{there[0]} is there already; choose another folder, or add --force to write over it")

    def keep(results: "Mapping[str, EvalResult]") -> None:
        for name, result in results.items():
            result.save(files[name])
        done = sum(result.num_episodes for result in results.values())
        progress.advance(done, f"{done - sum(result.num_successes for result in results.values())} failed")

    with ExitStack() as stack:
        made = {}
        for name, arguments in settings.items():
            opened = stack.enter_context(open_environment(env, min(num_envs, episodes), arguments))
            made[name] = Variant(opened, *make_actor(actor, opened, noise))
        progress = stack.enter_context(Progress("searching", episodes, unit="episodes", quiet=quiet))
        found = search_failures(
            made,
            evaluation_seeds(CANDIDATES * episodes),
            episodes,
            seed=seed,
            command=typed_command(),
            on_batch=keep,
        )
    if as_json:
        print_json(_facts(found, files))
    else:
        print_text(printable(_in_words(found, files)))
    print_note("not a fair sample: these episodes were chosen because they look likely to fail")
    return 0


def _failures(result: "EvalResult") -> list[int]:
    return [record.seed for record in result.episodes if not record.success]


def _in_words(found: "Mapping[str, EvalResult]", files: "Mapping[str, Path]") -> str:
    lines = []
    for name, result in found.items():
        failures = _failures(result)
        seeds = ", ".join(map(str, failures[:5])) + (", ..." if len(failures) > 5 else "")
        lines.append(
            f"{name}: {len(failures)} failures found among {result.num_episodes} chosen episodes: {seeds or '-'}"
        )
        if failures:
            lines.append(f"  see one: barkyard replay {files[name]} --seeds {failures[0]}")
    return "\n".join(lines)


def _facts(found: "Mapping[str, EvalResult]", files: "Mapping[str, Path]") -> dict[str, object]:
    return {
        "fair_sample": False,
        "variants": {
            name: {"path": str(files[name]), "episodes": result.num_episodes, "failures": _failures(result)}
            for name, result in found.items()
        },
    }


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("._") or "variant"
