"""The page about the policies of the registry: what each is, how it is configured, and its numbers."""

import json
import re
from pathlib import Path

from barkyard.policies.configuration import to_json
from barkyard.policies.registry import POLICIES, PolicyEntry
from docs_pages.told import mentions, result_rows


def policies_page(docs: Path) -> str:
    """The page in Markdown."""
    rows = [f"| [`{entry.name}`](#{entry.name}) | {entry.summary} |" for entry in POLICIES.values()]
    listed = "\n".join(["| name | what it is |", "|---|---|", *rows])
    head = "# Policies\n\nWhat `barkyard train --policy NAME` can train."
    return "\n\n".join([head, listed, *(_section(entry, docs) for entry in POLICIES.values())]) + "\n"


def _section(entry: PolicyEntry, docs: Path) -> str:
    needs = [
        "Its features must have the robot's body." if entry.needs_body else "",
        "It learns from datasets of different bodies." if entry.many_bodies else "",
    ]
    word = rf"`{re.escape(entry.name)}`"
    rows = result_rows(docs, "actor", word)
    told = mentions(docs, word)
    parts = [
        f"## {entry.name}",
        " ".join([f"{entry.summary}: `{entry.policy}`.", *filter(None, needs)]),
        rows and f"From [Results](results.md):\n\n{rows}",
        told and f"Told of in:\n\n{told}",
        f"Configuration, changed by `--override NAME=VALUE`:\n\n```json\n{_json(to_json(entry.make_config()))}\n```",
        f"Training:\n\n```json\n{_json(to_json(entry.make_training()))}\n```",
    ]
    return "\n\n".join(part for part in parts if part)


def _json(values: dict[str, object]) -> str:
    return json.dumps(values, indent=2)
