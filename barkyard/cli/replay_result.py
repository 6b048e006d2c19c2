"""Running episodes of a result again from their seeds, and filming them; a part of `barkyard replay`."""

import shlex
from dataclasses import asdict
from pathlib import Path

from barkyard.cli.opening import make_actor, open_environment
from barkyard.cli.terminal import print_json, print_text
from barkyard.errors import InvalidInput, ResultError
from barkyard.policies.latency import Latency


def replay_result(
    path: Path, seeds: tuple[int, ...], actor: str | None, video_dir: Path | None, film: bool, as_json: bool
) -> int:
    """Run episodes again and compare them with what the result says; exit code 1 if one went otherwise.

    Args:
        path: the result.
        seeds: which; by default the first that failed, else the first.
        actor: who acts; by default who its command says.
        video_dir: where films go.
        film: whether to film.
        as_json: print JSON.
    """
    from barkyard.evaluation import EvalResult, evaluate

    result = EvalResult.load(path)
    if result.source == "real":
        raise InvalidInput(f"{path} holds trials of a real robot; only simulated episodes can be run again")
    stored = {record.seed: record for record in result.episodes}
    failed = [record.seed for record in result.episodes if not record.success]
    chosen = list(seeds) or (failed or list(stored))[:1]
    unknown = [seed for seed in chosen if seed not in stored]
    if unknown:
        raise InvalidInput(f"{path} has no seed {unknown[0]}; it has {len(stored)} from {min(stored)} on")
    word, noise = (
        actor or _option(result.command, "--actor", path),
        float(_option(result.command, "--noise", path, "0")),
    )
    delay = int(_option(result.command, "--delay", path, "0"))
    latency = Latency(delay, "--real-time-chunking" in shlex.split(result.command))
    with open_environment(result.env_id, len(chosen), result.env_kwargs) as env:
        who, fingerprints = make_actor(word, env, noise, latency)
        if fingerprints.get("checkpoint") != result.fingerprints.get("checkpoint"):
            raise ResultError(f"{word} is not the checkpoint that acted in {path}; give that one with --actor")
        again = evaluate(
            env,
            who,
            chosen,
            videos=len(chosen) if film else 0,
            video_dir=video_dir or path.parent / "videos" / "replay",
            fingerprints=fingerprints,
        )
    same = [record == stored[record.seed] for record in again.episodes]
    if as_json:
        print_json({"agrees": all(same), "episodes": [asdict(record) for record in again.episodes]})
    else:
        for record, agrees in zip(again.episodes, same, strict=True):
            how = "as before" if agrees else f"otherwise than before ({stored[record.seed].end.replace('_', ' ')})"
            print_text(f"seed {record.seed}: {record.end.replace('_', ' ')} after {record.length} steps, {how}")
    return 0 if all(same) else 1


def _option(command: str, name: str, path: Path, default: str | None = None) -> str:
    """What was typed after an option; options of several actors do not say which is meant."""
    words = shlex.split(command)
    if name in words[:-1]:
        following = words[words.index(name) + 1 :]
        if name != "--actor" or len(following) == 1 or following[1].startswith("--"):
            return following[0].partition("=")[2] or following[0]
    if default is None:
        raise InvalidInput(f"{path} does not say which actor is meant; give --actor expert, random or the checkpoint")
    return default
