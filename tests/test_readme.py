"""The README's blocks run as they stand, in order, in one folder."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from barkyard.cli import main

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return BLOCK.findall(text)


def commands(content: str) -> list[list[str]]:
    """The words after the prompt of every line of a console block that has one."""
    return [shlex.split(line[2:], comments=True) for line in content.splitlines() if line.startswith("$ ")]


def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    executed = 0
    for language, content in blocks((ROOT / "README.md").read_text()):
        if language == "python":
            exec(compile(content, "README.md", "exec"), names)
            executed += 1
        elif language == "console":
            for program, *words in commands(content):
                assert program == "barkyard"
                assert main(words) == 0, words
                executed += 1
    assert executed >= 10
    assert (tmp_path / "runs/tour/report.html").is_file()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_what_is_not_run_is_a_script_that_exists(document: str) -> None:
    for language, content in blocks((ROOT / document).read_text()):
        assert language in ("python", "console", "sh")
        if language == "sh":
            for line in content.splitlines():
                script = ROOT / shlex.split(line, comments=True)[0]
                assert script.is_file() and script.stat().st_mode & 0o111, line


def test_blocks_and_commands_are_found() -> None:
    text = "a\n```python\nx = 1\n```\nb\n```console\n$ barkyard envs --json\noutput\n```\n"
    assert blocks(text) == [("python", "x = 1\n"), ("console", "$ barkyard envs --json\noutput\n")]
    assert commands(blocks(text)[1][1]) == [["barkyard", "envs", "--json"]]
