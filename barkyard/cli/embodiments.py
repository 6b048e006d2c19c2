"""Evaluations of one actor with many embodiments, in one table; a part of `barkyard evaluate`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from barkyard.cli.fleet import Fleet, evaluate_by_fleet
from barkyard.cli.opening import make_actor, open_environment, typed_command
from barkyard.cli.terminal import Progress, print_json, print_text
from barkyard.errors import InvalidInput
from barkyard.files import write_whole

if TYPE_CHECKING:
    from barkyard.evaluation import EvalResult

TABLE: Final = "table.json"
SCHEMA: Final = 1
ARGUMENT: Final = "embodiment"
"""Of the environment."""


@dataclass(frozen=True)
class EmbodimentWords:
    """What was typed.

    Attributes:
        env: the environment's id.
        env_kwargs: its arguments but `embodiment`.
        actor: who acts, with each embodiment.
        embodiments: words that `embodiments_of` reads.
        out: a folder.
        episodes: of each embodiment.
        seed_start: the first of the seeds.
        num_envs: side by side.
        noise: of the actions.
        force: write over earlier results.
        fleet: who does the work.
    """

    env: str
    env_kwargs: dict[str, Any]
    actor: str
    embodiments: Sequence[str]
    out: Path
    episodes: int
    seed_start: int
    num_envs: int
    noise: float
    force: bool
    fleet: Fleet


def embodiments_of(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Columns of a table: a set of the hands' split, the lines of a file, or names, which are one column together.

    Raises:
        InvalidInput: a file has no line, or a column comes twice.
    """
    from barkyard.assets.robots.leap_hand.enumeration import load_split

    sets = {name: value for name, value in vars(load_split()).items() if name != "seed"}
    columns: dict[str, tuple[str, ...]] = {}
    single = []
    for word in words:
        name, names = word, sets.get(word)
        if names is None and Path(word).is_file():
            name, names = Path(word).stem, tuple(filter(None, map(str.strip, Path(word).read_text().splitlines())))
        if names is None:
            single.append(word)
        elif not names or name in columns:
            raise InvalidInput(f"--embodiments {word}: {'comes twice' if names else 'the file holds no name'}")
        else:
            columns[name] = names
    return {**columns, **({"named": tuple(single)} if single else {})}


def evaluate_embodiments(words: EmbodimentWords, as_json: bool, quiet: bool) -> int:
    """Evaluate with each embodiment that has no result yet; `out/COLUMN/EMBODIMENT.json` and `out/table.json`.

    Raises:
        InvalidInput: an earlier result is of something else.
    """
    from barkyard.evaluation import EvalResult, evaluation_seeds

    if ARGUMENT in words.env_kwargs:
        raise InvalidInput(f"{ARGUMENT} is given twice: leave it out of --env-kwargs, or leave out --embodiments")
    if words.out.suffix == ".json":
        raise InvalidInput(f"--out is {words.out}; give a folder, which gets a result for each embodiment")
    seeds, columns = evaluation_seeds(words.episodes, words.seed_start), embodiments_of(words.embodiments)
    results: dict[str, list[EvalResult]] = {}
    total = sum(len(names) for names in columns.values())
    title = f"evaluating {words.actor} on {words.env}"
    with Progress(title, total, unit="embodiments", quiet=quiet) as progress:
        for column, names in columns.items():
            for name in names:
                file = words.out / column / f"{name}.json"
                result = None if words.force or not file.exists() else EvalResult.load(file)
                if result is None:
                    result = _evaluate(words, name, seeds, file)
                    result.save(file)
                _check(result, words, name, seeds, file)
                results.setdefault(column, []).append(result)
                progress.advance(sum(map(len, results.values())), name)
    table = summarise(results)
    write_whole(words.out / TABLE, (json.dumps(table, indent=1) + "\n").encode())
    if as_json:
        print_json({"path": str(words.out), **table})
    else:
        print_text(table_text(table))
    return 0


def _evaluate(words: EmbodimentWords, name: str, seeds: Sequence[int], file: Path) -> "EvalResult":
    from barkyard.evaluation import evaluate

    arguments, envs = {**words.env_kwargs, ARGUMENT: name}, min(words.num_envs, len(seeds))
    if words.fleet.backend is not None:
        return evaluate_by_fleet(words.fleet, words.env, arguments, words.actor, words.noise, envs, seeds, file, True)
    with open_environment(words.env, envs, arguments) as env:
        actor, fingerprints = make_actor(words.actor, env, words.noise)
        return evaluate(env, actor, seeds, fingerprints=fingerprints, command=typed_command())


def _check(result: "EvalResult", words: EmbodimentWords, name: str, seeds: Sequence[int], file: Path) -> None:
    """That a result is what was asked for."""
    arguments = {**words.env_kwargs, ARGUMENT: name}
    wanted: dict[str, Any] = {"environment": words.env, "arguments": arguments, "seeds": list(seeds)}
    found: dict[str, Any] = {
        "environment": result.env_id,
        "arguments": {key: result.env_kwargs.get(key) for key in arguments},
        "seeds": [each.seed for each in result.episodes],
    }
    if Path(words.actor).is_dir():
        from barkyard.policies.checkpoint import checkpoint_fingerprint

        wanted["checkpoint"] = checkpoint_fingerprint(words.actor)
        found["checkpoint"] = result.fingerprints.get("checkpoint", "")
    differing = [key for key in wanted if wanted[key] != found[key]]
    if differing:
        raise InvalidInput(
            f"{file} is a result with other {' and '.join(differing)}; choose another folder, or add --force to write "
            "over it"
        )


def summarise(results: "Mapping[str, Sequence[EvalResult]]") -> dict[str, Any]:
    """What `table.json` holds: by column and metric, the mean with its interval by embodiment, and each embodiment's.

    Args:
        results: by column, one an embodiment.
    """
    from barkyard.evaluation.clusters import clustered_mean

    columns = {}
    for column, each in results.items():
        values = [{"success": [float(e.success) for e in result.episodes], **result.metrics()} for result in each]
        metrics = {}
        for metric in values[0]:
            found = clustered_mean([row[metric] for row in values])
            bounded = found.clusters > 1
            metrics[metric] = {
                "mean": found.mean,
                "low": found.interval.low if bounded else None,
                "high": found.interval.high if bounded else None,
                "embodiments": [sum(row[metric]) / len(row[metric]) for row in values],
            }
        columns[column] = {
            "embodiments": [str(result.env_kwargs[ARGUMENT]) for result in each],
            "episodes": sum(result.num_episodes for result in each),
            "metrics": metrics,
        }
    first = next(iter(results.values()))[0]
    return {"schema": SCHEMA, "env": first.env_id, "actor": first.actor, "confidence": 0.95, "columns": columns}


def table_text(table: Mapping[str, Any]) -> str:
    """A line for each column, with the metrics side by side."""
    metrics = list(next(iter(table["columns"].values()))["metrics"])
    rows = [["embodiments", "", "episodes", *metrics]]
    for column, found in table["columns"].items():
        cells = []
        for metric in metrics:
            row = found["metrics"][metric]
            bounds = "" if row["low"] is None else f" [{row['low']:.4g}, {row['high']:.4g}]"
            cells.append(f"{row['mean']:.4g}{bounds}")
        rows.append([column, str(len(found["embodiments"])), str(found["episodes"]), *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{table['env']} {table['actor']}", *lines, "intervals: 95 %, embodiments as clusters"])
