"""A page for each registered environment: picture, spaces, rewards, success, options, and how its expert does."""

import dataclasses
import importlib
import inspect
import io
from collections.abc import Sequence
from pathlib import Path

import docstring_parser
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from PIL import Image

from barkyard.control import CONTROLLERS
from barkyard.envs.entries import ENVIRONMENTS, EnvironmentEntry
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.envs.task import Task
from docs_pages.told import mentions, result_rows

FOLDER = "environments/"
PICTURE_SIZE = (360, 480)


def environment_pages(docs: Path) -> dict[str, str | bytes]:
    """By place in the site: a page that lists the environments, and of each its page and picture."""
    made: dict[str, str | bytes] = {}
    rows = []
    for entry in ENVIRONMENTS.values():
        name = _name(entry)
        env = make_vec_env(entry.id, 1, render_size=PICTURE_SIZE, autoreset_mode=AutoresetMode.DISABLED)
        try:
            env.reset(seed=0)
            made[f"{FOLDER}{name}.png"] = _png(env)
            made[f"{FOLDER}{name}.md"] = _page(entry, env, docs)
        finally:
            env.close()
        rows.append(f"| [![]({name}.png){{ width=160 }}]({name}.md) | [`{entry.id}`]({name}.md) | {entry.summary} |")
    listed = "\n".join(["| | id | what is to be done |", "|---|---|---|", *rows])
    return {f"{FOLDER}index.md": f"# Environments\n\n{listed}\n", **made}


def _page(entry: EnvironmentEntry, env: RobotVectorEnv, docs: Path) -> str:
    name, task, kind, controller = _name(entry), env.task, type(env.task), env.env_kwargs["controller"]
    parts = [
        f"# {name}",
        f"`{entry.id}`: {entry.summary}.",
        f"![{name}]({name}.png)",
        inspect.getdoc(kind) or "",
        _table(
            ("robot", "controller", "control period", "time limit"),
            [(f"`{env.env_kwargs['robot']}`", f"`{controller}`", f"{env.control_dt:g} s", f"{task.time_limit:g} s")],
        ),
        "## Observations",
        _table(("part", "shape", "type", "bounds"), _observations(env)),
        "## Actions",
        f"{env.simulation.controller.action_dim} numbers in [-1, 1]: {_first_line(CONTROLLERS[controller])}",
        "## Reward",
        _method(kind.terms),
        "Terms, each in [0, 1]: " + ", ".join(f"`{term}`" for term in task.terms()),
        f"Dense: {_method(kind.dense_reward)}",
        "## Success and failure",
        f"Success, which is also the sparse reward: {_method(kind.success)}",
        "Failure: " + ("never" if kind.failure is Task.failure else _method(kind.failure)),
        "## Options",
        _options(kind),
        "## Expert",
        _expert(entry, docs),
    ]
    told = mentions(docs, rf"\b{name}(-v\d+)?\b", FOLDER)
    return "\n\n".join(part for part in [*parts, told and f"## Where it is told of\n\n{told}"] if part) + "\n"


def _observations(env: RobotVectorEnv) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    assert isinstance(env.single_observation_space, spaces.Dict)
    for name, box in env.single_observation_space.items():
        assert isinstance(box, spaces.Box)
        low, high = float(box.low.min()), float(box.high.max())
        alike = bool(np.all(box.low == low) and np.all(box.high == high))
        bounds = f"{low:g} to {high:g}" if alike else f"each its own, within {low:g} to {high:g}"
        rows.append((f"`{name}`", " x ".join(map(str, box.shape)), str(box.dtype), bounds))
    return rows


def _options(kind: type[Task]) -> str:
    known = {
        param.arg_name: " ".join((param.description or "").split())
        for base in reversed(kind.options_type.__mro__)
        for param in docstring_parser.parse(inspect.cleandoc(base.__doc__ or "")).params
    }
    rows = [
        (f"`{field.name}`", f"`{field.default!r}`", known.get(field.name, ""))
        for field in dataclasses.fields(kind.options_type)
    ]
    own = _table(("argument", "default", ""), rows) if rows else "None of its own."
    return f"{own}\n\nWhat every environment takes is told of [here](../reference/environments.md)."


def _expert(entry: EnvironmentEntry, docs: Path) -> str:
    if not entry.expert:
        return f"None; `barkyard train --rl {entry.id}` makes one."
    module, function = entry.expert.split(":")
    words = _first_line(getattr(importlib.import_module(module), function))
    rows = result_rows(docs, "task", rf"^{_name(entry)}$")
    measured = f"\n\nFrom [Results](../results.md), of it and of policies:\n\n{rows}" if rows else ""
    return f"`{entry.expert}`: {words}{measured}"


def _png(env: RobotVectorEnv) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(env.render_frames(None, np.array([0]))[0]).save(buffer, "PNG")
    return buffer.getvalue()


def _name(entry: EnvironmentEntry) -> str:
    return entry.id.removeprefix("barkyard/").rsplit("-v", 1)[0]


def _method(method: object) -> str:
    return inspect.getdoc(method) or ""


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
