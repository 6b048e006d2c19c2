"""Evaluations of several actors that stop when it is known who is better; a part of `barkyard evaluate`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barkyard.cli.correlate import named_result, printable
from barkyard.cli.fleet import Fleet, items_beside, items_folder
from barkyard.cli.opening import make_actor, open_environment, typed_command
from barkyard.cli.terminal import Progress, print_json, print_note, print_text
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from barkyard.evaluation import EvalResult
    from barkyard.evaluation.race import RaceResult


@dataclass(frozen=True)
class RaceWords:
    """What was typed of a race.

    Attributes:
        env: the environment's id.
        env_kwargs: its arguments.
        actors: words for actors, each with a name of its own: `WORD` or `NAME=WORD`.
        against: results to compare with, `FILE` or `NAME=FILE`.
        out: a file for one actor, a folder for more.
        episodes: seeds at most.
        seed_start: the first of them.
        num_envs: side by side.
        noise: of all actors.
        margin: a smaller difference does not matter.
        level: of the comparison.
        force: write over earlier results.
        fleet: who does the work.
    """

    env: str
    env_kwargs: dict[str, Any]
    actors: Sequence[str]
    against: Sequence[str]
    out: Path
    episodes: int
    seed_start: int
    num_envs: int
    noise: float
    margin: float
    level: float
    force: bool
    fleet: Fleet


def run_race(words: RaceWords, as_json: bool, quiet: bool) -> int:
    """Run it, keep what is finished after every batch, and print who is better and what was saved."""
    from barkyard.evaluation import evaluation_seeds
    from barkyard.evaluation.race import Rules, race
    from barkyard.fleet import race as race_by_fleet

    named = [_named(word) for word in words.actors]
    files = _files(words, [name for name, _ in named])
    against = dict(named_result(word) for word in words.against)
    if len(against) < len(words.against):
        raise InvalidInput(f"two of {', '.join(words.against)} have the same name; tell them apart with NAME=FILE")
    seeds = evaluation_seeds(words.episodes, words.seed_start)

    def keep(results: "Mapping[str, EvalResult]", stands: str) -> None:
        for name, result in results.items():
            result.save(files[name])
        progress.advance(sum(result.num_episodes for result in results.values()), printable(stands))

    envs = min(words.num_envs, words.episodes)
    with (
        open_environment(words.env, 1 if words.fleet.backend else envs, words.env_kwargs) as env,
        Progress("racing", len(named) * len(seeds), unit="episodes", quiet=quiet) as progress,
    ):
        made = {name: make_actor(word, env, words.noise) for name, word in named}
        rules, command = Rules(against, words.margin, words.level), typed_command()
        if words.fleet.backend is None:
            actors = {name: actor for name, (actor, _) in made.items()}
            prints = {name: fingerprints for name, (_, fingerprints) in made.items()}
            found = race(env, actors, seeds, rules, fingerprints=prints, command=command, on_block=keep)
        else:
            fleet = words.fleet
            works = {name: fleet.work(words.env, words.env_kwargs, word, envs, words.noise) for name, word in named}
            with items_beside(words.out) as items:
                found = race_by_fleet(works, env, seeds, fleet.make(), items, rules, command=command, on_block=keep)
    if as_json:
        print_json(_facts(found, files))
    else:
        print_text(printable(_in_words(found, words.level)))
    print_note(f"results: {', '.join(str(files[name]) for name in found.results)}")
    return 0


def _in_words(found: "RaceResult", level: float) -> str:
    from barkyard.evaluation import text_table

    run = f"{found.episodes} of {found.episodes_asked} episodes were run"
    share = 100 * found.saved / found.episodes_asked
    return "\n".join(
        [
            f"{found.words} (may be looked at after every seed; wrong in at most {100 * level:g} % of comparisons)",
            f"{run}; {found.saved} ({share:.0f} %) saved by stopping early",
            "",
            text_table(list(found.results.values())),
        ]
    )


def _facts(found: "RaceResult", files: Mapping[str, Path]) -> dict[str, object]:
    return {
        "verdict": found.verdict,
        "words": found.words,
        "may_be_best": found.may_be_best,
        "decided_after": found.decided_after,
        "episodes": found.episodes,
        "episodes_asked": found.episodes_asked,
        "saved": found.saved,
        "results": {name: str(files[name]) for name in found.results},
    }


def _named(word: str) -> tuple[str, str]:
    """The name and the word of an actor, from `WORD` or `NAME=WORD`."""
    name, equals, rest = word.partition("=")
    if equals and not Path(word).exists():
        if not name:
            raise InvalidInput(f"{word!r} gives no name; write NAME=ACTOR, or ACTOR")
        return name, rest
    return word, word


def _files(words: RaceWords, names: Sequence[str]) -> dict[str, Path]:
    """Where each result goes: `--out` itself for one actor, else a file a name in that folder."""
    if len(names) == 1:
        files = {names[0]: words.out}
        if words.out.suffix != ".json":
            raise InvalidInput(f"--out is {words.out}; for one actor give the name of a file that ends in .json")
    else:
        if words.out.suffix == ".json":
            raise InvalidInput(f"--out is {words.out}; for {len(names)} actors give a folder")
        files = {name: words.out / f"{_file_name(name)}.json" for name in names}
    if len({*files.values()}) < len(names) or len(files) < len(names):
        raise InvalidInput(f"actors are {', '.join(names)}; give each a name of its own: NAME=ACTOR")
    there = [file for file in files.values() if file.exists()]
    going_on = words.fleet.backend is not None and items_folder(words.out).is_dir()
    if there and not words.force and not going_on:
        raise InvalidInput(f"{there[0]} is there already; choose another name, or add --force to write over it")
    return files


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "actor"
