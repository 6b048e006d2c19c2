"""`barkyard inspect`: what a file or folder is, in words."""

from pathlib import Path
from typing import Annotated, Any, Final

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Json, print_json, print_note, print_text
from barkyard.errors import InvalidInput
from barkyard.untrusted import parse_json

READABLE: Final = (
    "a dataset (a folder with meta/info.json)",
    "a checkpoint (a folder with config.json and model.safetensors, or a training's folder)",
    "a result (a .json file of barkyard evaluate)",
    "a calibration (a .json file of barkyard calibrate)",
    "a robot's body (a robot's name)",
)


def inspect(
    path: Annotated[Positional[Path], arg(metavar="PATH|ROBOT")],
    /,
    *,
    page: Annotated[Path | None, arg(metavar="FILE.html")] = None,
    graph: Annotated[Path | None, arg(metavar="PICTURE")] = None,
    as_json: Json = False,
) -> int:
    """Say what a dataset, checkpoint, result or calibration is, or what a robot's body is made of.

    Args:
        path: the file or folder, or a robot's name.
        page: of a dataset, write one self-contained HTML page: episodes in pictures, histograms, success by seed,
            durations, and episodes that stand out.
        graph: draw the graph of the robot's body over the robot, into this file.
        as_json: print JSON.
    """
    facts = describe(path)
    if page is not None:
        _write_page(path, facts["kind"], page)
    if graph is not None:
        _draw(str(path), graph)
    if as_json:
        print_json(facts)
    else:
        width = max(map(len, facts))
        print_text("\n".join(f"{name:{width}}  {_words(value)}" for name, value in facts.items()))
    return 0


def describe(path: Path) -> dict[str, Any]:
    """Facts about what lies at `path`; JSON only.

    Raises:
        InvalidInput: there is nothing there that can be read.
        BarkyardError: it is damaged.
    """
    if (path / "meta").is_dir():
        return _dataset(path)
    if any((folder / "config.json").is_file() for folder in (path, path / "last")):
        return _checkpoint(path)
    if path.is_file() and path.suffix == ".json":
        return _calibration(path) if _is_calibration(path) else _result(path)
    from barkyard.assets.robots import ROBOTS

    if str(path) in ROBOTS:
        return _body(str(path))
    what = "is none of these" if path.exists() else "does not exist"
    raise InvalidInput(
        f"{path} {what}. This command reads:\n  "
        + "\n  ".join(READABLE)
        + f"\nThe robots are {', '.join(sorted(ROBOTS))}"
    )


def _dataset(path: Path) -> dict[str, Any]:
    from barkyard.datasets import Dataset

    dataset = Dataset.open(path)
    seeds = dataset.seeds.tolist()
    return {
        "kind": "dataset",
        "environment": dataset.env_id,
        "environment arguments": dataset.env_kwargs,
        "episodes": dataset.num_episodes,
        "successes": int(dataset.successes.sum()),
        "frames": dataset.num_frames,
        "frames a second": dataset.fps,
        "episode lengths": [int(length) for length in (dataset.lengths.min(), dataset.lengths.max())] if seeds else [],
        "seeds": [min(seeds), max(seeds)] if seeds else [],
        "observations": {name: list(shape) for name, shape in dataset.observation_shapes.items()},
        "action": [dataset.action_size],
        "fingerprint": dataset.fingerprint,
    }


def _write_page(path: Path, kind: str, page: Path) -> None:
    from barkyard.cli.stored_states import StoredStates
    from barkyard.datasets import Dataset
    from barkyard.datasets.page import write_page

    if kind != "dataset":
        raise InvalidInput(f"--page is about a dataset, and {path} is a {kind}")
    dataset = Dataset.open(path)
    with StoredStates(dataset) as states:
        write_page(dataset, page, states.pictures if dataset.spec.state_size else None)
    print_note(f"the page is {page}")


def _checkpoint(path: Path) -> dict[str, Any]:
    from barkyard.policies import load_policy
    from barkyard.policies.checkpoint import checkpoint_fingerprint, locate
    from barkyard.policies.configuration import to_json

    policy = load_policy(path)
    return {
        "kind": "checkpoint",
        "folder": str(locate(path)),
        "policy": policy.origin.policy,
        "parameters": sum(parameter.numel() for parameter in policy.parameters()),
        "trained steps": policy.origin.step,
        "environment": policy.features.env_id,
        "environment arguments": dict(policy.features.env_kwargs),
        "observations": {name: list(shape) for name, shape in policy.features.observations.items()},
        "action": [policy.features.action_dim],
        **({"tasks": [task.name for task in policy.features.tasks]} if policy.features.tasks else {}),
        "config": to_json(policy.config),
        "fingerprint": checkpoint_fingerprint(path),
        "dataset fingerprint": policy.origin.dataset,
        "versions": dict(policy.origin.versions),
    }


def _result(path: Path) -> dict[str, Any]:
    from barkyard.evaluation import EvalResult

    result = EvalResult.load(path)
    return {
        "kind": "result",
        "environment": result.env_id,
        "environment arguments": dict(result.env_kwargs),
        "actor": result.actor,
        "source": result.source,
        "episodes": f"{result.num_episodes} of {result.episodes_asked}",
        "successes": result.num_successes,
        "success rate": result.success_rate,
        "95 % interval": list(result.interval),
        "seconds": result.seconds,
        "command": result.command,
        "fingerprints": dict(result.fingerprints),
        "versions": dict(result.versions),
    }


def _is_calibration(path: Path) -> bool:
    """Whether it says what was identified; a result does not."""
    try:
        content = parse_json(path.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and "parameters" in content


def _calibration(path: Path) -> dict[str, Any]:
    from barkyard.assets.calibration import Calibration

    calibration = Calibration.load(path)
    held_out = calibration.held_out
    return {
        "kind": "calibration",
        "robot": calibration.robot,
        "source": calibration.source,
        "parameters": {
            f"{p.element}.{p.quantity}": [p.value, *(p.interval or ()), p.unit, p.verdict.replace("_", " ")]
            for p in calibration.parameters
        },
        "samples": len(calibration.samples),
        "held-out error [rad]": None if held_out is None else held_out.overall,
        "held-out recordings": [] if held_out is None else list(held_out.recordings),
        "logs": [log.name for log in calibration.logs],
        "model fingerprint": calibration.model,
        "fingerprint": calibration.fingerprint,
    }


def _body(robot: str) -> dict[str, Any]:
    from barkyard.assets.robots.bodies import robot_body

    body = robot_body(robot)
    joints = {limb: [joint.name for joint in body.joints if joint.limb == limb] for limb in range(len(body.limbs))}
    return {
        "kind": "body",
        "robot": robot,
        "base": "free" if body.floating else "fixed",
        "limbs": {
            limb.name: f"on {body.limbs[limb.parent].name} by {'+'.join(joints[i])}, {limb.length:.3f} m"
            if i
            else "root"
            for i, limb in enumerate(body.limbs)
        },
        "joints": len(body.joints),
        "actuators": len(body.actuators),
        "diameter": int(body.limb_graph.hop.max()),
        "fingerprint": body.fingerprint,
    }


def _draw(robot: str, picture: Path) -> None:
    from barkyard.assets.robots import ROBOTS
    from barkyard.cli.body_picture import draw_body

    if robot not in ROBOTS:
        raise InvalidInput(f"--graph draws a robot's body, and {robot!r} is none; valid: {', '.join(sorted(ROBOTS))}")
    draw_body(robot, picture)
    print_note(f"{picture}: the body of {robot}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(entry)}" for key, entry in value.items()) or "none"
    if isinstance(value, list):
        return f"({', '.join(map(_words, value))})"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
