"""One self-contained page about a calibration, and the same in words."""

import base64
import math
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from barkyard.assets.parameters import QUANTITIES
from barkyard.calibration.calibrate import Outcome, TrackingError, together
from barkyard.calibration.plots import overlay_png, spectra_png
from barkyard.calibration.tool import COLUMNS
from barkyard.calibration.unknowns import spread
from barkyard.files import write_whole

OVERLAY_SECONDS = 20.0
VERDICT_WORDS = {
    "identified": "identified",
    "within_model": "identified within this model",
    "weakly_identified": "weakly identified",
    "on_bound": "on a bound",
    "not_excited": "not excited",
}


def parameter_rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """Name, estimate, 95 % interval, unit and verdict of every unknown."""
    rows: list[tuple[str, ...]] = []
    places, known = outcome.point.places, outcome.uncertainty
    for i, unknown in enumerate(outcome.problem.unknowns):
        value, low, high = (float(unknown.value(each[i])) for each in (places, known.low, known.high))
        verdict = VERDICT_WORDS[outcome.identifiability.verdicts[i]]
        interval = "-" if verdict == "on a bound" else f"{low:.4g} to {high:.4g}"
        rows.append((unknown.name, f"{value:.4g}", interval, QUANTITIES[unknown.quantity].unit, verdict))
    return rows


def error_unit(outcome: Outcome) -> str:
    """Of the errors: thousandths of a radian, and of a metre where the tool was recorded."""
    return "mm, mrad" if outcome.joints == COLUMNS else "mrad"


def error_rows(outcome: Outcome, errors: tuple[TrackingError, ...]) -> list[tuple[str, ...]]:
    """A line for each joint and one for all: fitted, shipped and command [mrad], over all recordings alike."""
    columns = [together([getattr(error, name) for error in errors]) for name in ("fitted", "shipped", "command")]
    rows = [(joint, *(f"{1e3 * column[j]:.2f}" for column in columns)) for j, joint in enumerate(outcome.joints)]
    return [*rows, ("all joints", *(f"{1e3 * math.sqrt(float(np.mean(column**2))):.2f}" for column in columns))]


def recording_rows(errors: tuple[TrackingError, ...]) -> list[tuple[str, ...]]:
    """A line for each recording: fitted, shipped and command over all joints [mrad]."""
    return [
        (each.log, *(f"{1e3 * _overall(column):.2f}" for column in (each.fitted, each.shipped, each.command)))
        for each in errors
    ]


def scale_rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """For each joint: how surely the unit of torque is known, and the ratios that are."""
    rows: list[tuple[str, ...]] = []
    for scale in outcome.identifiability.scales:
        ratios = ", ".join(
            f"{name.split('/')[0]} {value:.3g} ({low:.3g} to {high:.3g})"
            for name, (value, low, high) in scale.ratios.items()
        )
        known = f"within a factor of {scale.factor:.2f}" if scale.factor < 100.0 else "not at all"
        rows.append((scale.joint, known, ratios))
    return rows


def write_report(outcome: Outcome, path: Path, command: str = "") -> None:
    """Write one HTML file that needs nothing else: no network, no scripts, no other file.

    Raises:
        OSError: the file cannot be written; an earlier one stays as it was.
    """
    logs = outcome.held_out_logs or outcome.problem.logs
    values = spread(outcome.problem.unknowns, outcome.point.places[None])
    simulated = [outcome.problem.plant.simulate(values, log)[0] for log in logs]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = resources.files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    page = environment.from_string(source).render(
        **_facts(outcome),
        command=command,
        overlays=[
            (log.name, _uri(overlay_png(log, angles, OVERLAY_SECONDS)))
            for log, angles in zip(logs, simulated, strict=True)
        ],
        spectra=_uri(spectra_png(logs, simulated)),
        seconds=OVERLAY_SECONDS,
    )
    write_whole(path, page.encode())


def _facts(outcome: Outcome) -> dict[str, Any]:
    known, verdict = outcome.uncertainty, outcome.identifiability
    return {
        "model": outcome.model,
        "parameters": parameter_rows(outcome),
        "scales": scale_rows(outcome),
        "unit": error_unit(outcome),
        "trade_offs": verdict.trade_offs,
        "singular_values": ", ".join(f"{value:.3g}" for value in verdict.singular_values),
        "condition": f"{verdict.condition:.3g}",
        "held_out": error_rows(outcome, outcome.held_out) if outcome.held_out else [],
        "held_out_recordings": recording_rows(outcome.held_out),
        "training": error_rows(outcome, outcome.training),
        "training_recordings": recording_rows(outcome.training),
        "remarks": outcome.remarks,
        "known": known,
        "logs": outcome.problem.logs,
        "wall_seconds": outcome.seconds,
    }


def _overall(column: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.mean(column**2)))


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
