"""Tables of the study of GET-Zero; intervals take the hand for what was drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.evaluation.clusters import clustered_mean

COLUMNS = {"train": "training hands", "test_graph": "new graph", "test_length": "new length", "test_both": "both"}
OWN, NEAREST = "the hand's own gait", "gait of the nearest training hand"
Array = NDArray[np.float64]


def report(results: Mapping[str, Any], ours: str, plain: str) -> str:
    """All tables in Markdown.

    Args:
        results: what the study wrote.
        ours: the network that others are compared with.
        plain: the baseline of the goal.
    """
    lines, experts = results["networks"], results["experts"]
    rows = {row: _rates(experts, row) for row in (OWN, NEAREST)}
    names = list(dict.fromkeys(line["network"] for line in lines))
    networks = {name: by_hand(lines, name, "yaw_rate") for name in names}
    reference = float(np.mean(rows[OWN]["train"]))
    text = [_heading(results), "### Mean yaw rate [deg/s]\n", *_head("")]
    text += [_row(name, {column: cell(values) for column, values in found.items()}) for name, found in rows.items()]
    text += [_row(name, {column: cell(values) for column, values in networks[name].items()}) for name in names]
    text += [f"\n### Part of the rate of training hands' own gaits ({reference:.1f} deg/s)\n", *_head("")]
    for name, found in {**rows, **networks}.items():
        text.append(_row(name, {column: f"{np.mean(values) / reference:.2f}" for column, values in found.items()}))
    text += [f"\n### {ours} minus the other, hand by hand [deg/s]\n", *_head("")]
    text += [_row(name, differences(networks[ours], networks[name])) for name in names if name != ours]
    text += ["\n### Dropped cubes, part of the episodes\n", *_head("")]
    drops = {name: by_hand(lines, name, "dropped") for name in names}
    text += [_row(name, {c: f"{np.mean(values):.2f}" for c, values in found.items()}) for name, found in drops.items()]
    text += ["\n### Error of the self-model's places [mm]\n", *_head("")]
    for name in names:
        told = [line["places_mm"] for line in lines if line["network"] == name]
        if told[0]["train"] is not None:
            text.append(_row(name, {column: cell(np.array([each[column] for each in told])) for column in COLUMNS}))
    if plain in networks:
        text.append(f"\n{_goal(networks, reference, ours, plain)}")
    return "\n".join(text) + "\n"


def by_hand(lines: Sequence[Mapping[str, Any]], network: str, metric: str) -> dict[str, Array]:
    """By column, `(seeds, hands)` means over episodes."""
    own = [line["columns"] for line in lines if line["network"] == network]
    return {column: np.array([each[column][metric] for each in own]) for column in COLUMNS}


def cell(values: Array) -> str:
    """Mean over `(seeds, hands)`, its interval over hands, and the standard deviation of the seeds' means."""
    found = clustered_mean(list(values.mean(axis=0)[:, None]))
    spread = f" ± {values.mean(axis=1).std(ddof=1):.2g}" if len(values) > 1 else ""
    if found.clusters == 1:
        return f"{found.mean:.1f}{spread}"
    return f"{found.mean:.1f} [{found.interval.low:.1f}, {found.interval.high:.1f}]{spread}"


def differences(ours: Mapping[str, Array], other: Mapping[str, Array]) -> dict[str, str]:
    """By column, the mean difference of each hand with its interval over hands, and in percent of the other's mean."""
    cells = {}
    for column, values in ours.items():
        percent = 100 * (values.mean() - other[column].mean()) / abs(other[column].mean())
        cells[column] = f"{cell((values - other[column]).mean(axis=0)[None])} ({percent:+.0f} %)"
    return cells


def _rates(experts: Sequence[Mapping[str, Any]], row: str) -> dict[str, Array]:
    """By column, `(1, hands)` of the experts of one kind; columns in which hands have none are left out."""
    found: dict[str, Array] = {}
    for column in COLUMNS:
        here = [each for each in experts if each["column"] == column]
        hands = {each["hand"] for each in here}
        kind = [each for each in here if (each["donor"] == each["hand"]) == (row == OWN)]
        if hands and len(kind) == len(hands):
            found[column] = np.array([[float(np.mean(each["yaw_rate"])) for each in kind]])
    return found


def _heading(results: Mapping[str, Any]) -> str:
    line = results["networks"][0]
    hands = {column: (len(found["hands"]), found["episodes"]) for column, found in line["columns"].items()}
    counts = "; ".join(f"{COLUMNS[column]}: {n} hands, {episodes} episodes" for column, (n, episodes) in hands.items())
    seeds = len({each["seed"] for each in results["networks"]})
    sizes = sorted({each["parameters"] for each in results["networks"]})
    return (
        f"{seeds} seeds of each network; for each seed {counts}. {sizes[0]:,} to {sizes[-1]:,} parameters. In brackets "
        "95 % intervals over hands (Student's t); after ± the standard deviation of the seeds' means.\n"
    )


def _goal(networks: Mapping[str, Mapping[str, Array]], reference: float, ours: str, plain: str) -> str:
    gain = 100 * (networks[ours]["test_graph"].mean() / networks[plain]["test_graph"].mean() - 1)
    parts = [f"{COLUMNS[c]} {networks[ours][c].mean() / reference:.2f}" for c in COLUMNS if c != "train"]
    return (
        f"{ours} keeps of the training hands' own gaits: {', '.join(parts)} (published: 0.61, 0.96, 0.59). On new "
        f"graphs it is {gain:+.0f} % against the {plain}."
    )


def _head(first: str) -> list[str]:
    return [f"| {first} | {' | '.join(COLUMNS.values())} |", "|---" * (1 + len(COLUMNS)) + "|"]


def _row(name: str, cells: Mapping[str, str]) -> str:
    return f"| {name} | {' | '.join(cells.get(column, '-') for column in COLUMNS)} |"
