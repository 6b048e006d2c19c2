"""The order of the site's pages."""

from collections.abc import Sequence
from typing import Any

Tree = list[dict[str, Any]]

_BEFORE: Tree = [{"Tour": "index.md"}, {"Concepts": "concepts.md"}]
_AFTER: Tree = [
    {"Policies": "policies.md"},
    {
        "Tasks": [
            {"Manipulation": "manipulation.md"},
            {"Quadrupeds": "locomotion.md"},
            {"The agility course": "course.md"},
            {"How scenes look": "visual.md"},
        ]
    },
    {"Data": [{"Datasets": "data.md"}, {"Driving by hand": "teleop.md"}]},
    {
        "Learning": [
            {"Diffusion policies": "diffusion.md"},
            {"Body Transformer": "body_transformer.md"},
            {"GET-Zero": "get_zero.md"},
            {"A policy on a robot": "serving.md"},
        ]
    },
    {
        "Simulation and reality": [
            {"Calibration": "calibration.md"},
            {"Surrogate robots": "surrogate.md"},
            {"Does calibrating help?": "sim_real.md"},
            {"Statistics": "statistics.md"},
            {"SIMPLER's claims": "simpler_audit.md"},
        ]
    },
    {
        "Running it": [
            {"One machine to a cluster": "fleet.md"},
            {"Faults": "faults.md"},
            {"Time and memory": "performance.md"},
        ]
    },
    {"Results": "results.md"},
    {"Adding to it": "contributing.md"},
]


def navigation(places: Sequence[str], environments: Sequence[str], reference: Sequence[str]) -> Tree:
    """The tree of pages.

    Args:
        places: everything in the site.
        environments: the environments' pages, the list of them first.
        reference: the reference's pages.

    Returns:
        The tree; pages of `docs/` that it has no place for yet stand under "More".
    """
    robots = [place for place in places if place.startswith("robots/")]
    tree = [
        *_BEFORE,
        {"Environments": list(environments)},
        {"Robots": robots},
        *_AFTER,
        {"Reference": list(reference)},
        {"Changelog": "changelog.md"},
    ]
    placed = pages_in(tree)
    more = [place for place in places if place.endswith(".md") and place not in placed]
    return [*tree[:-2], *([{"More": more}] if more else []), *tree[-2:]]


def pages_in(tree: Any) -> set[str]:
    """All pages in a tree."""
    if isinstance(tree, str):
        return {tree}
    inner = tree.values() if isinstance(tree, dict) else tree
    return {word for each in inner for word in pages_in(each)}
