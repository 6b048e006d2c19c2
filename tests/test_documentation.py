"""The documentation's site: pages made from the code, links between them, and a strict build."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from barkyard.envs.entries import ENVIRONMENTS
from barkyard.policies.registry import POLICIES
from tests.test_readme import ROOT

SCRIPTS = ROOT / "scripts/documentation"


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package `docs_pages`."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("docs_pages")


def page(room: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{room.__name__}.{name}")


def test_links_lead_to_pages_of_the_site(room: ModuleType) -> None:
    rewrite = page(room, "repository").rewrite_links
    sources = {"README.md", "docs/data.md", "docs/images/a.png", "barkyard/assets/robots/panda/README.md"}
    readme = "[data](docs/data.md#a-look) ![a](docs/images/a.png) [web](https://mujoco.org) [gone](docs/gone.md)"
    expected = "[data](data.md#a-look) ![a](images/a.png) [web](https://mujoco.org) [gone](docs/gone.md)"
    assert rewrite(readme, "README.md", sources) == expected
    inner = rewrite("[panda](../barkyard/assets/robots/panda/README.md) [up](../README.md)", "docs/data.md", sources)
    assert inner == "[panda](robots/panda.md) [up](index.md)"
    assert (
        rewrite("[d](../../../../docs/data.md)", "barkyard/assets/robots/panda/README.md", sources) == "[d](../data.md)"
    )


def test_every_adopted_file_is_there(room: ModuleType) -> None:
    adopted = page(room, "repository").ADOPTED
    assert all((ROOT / source).is_file() for source in adopted)
    readmes = {path.relative_to(ROOT).as_posix() for path in (ROOT / "barkyard").rglob("README.md")}
    assert readmes <= adopted.keys(), "a README that the site lacks"


def test_results_and_mentions_are_found(room: ModuleType, tmp_path: Path) -> None:
    told = page(room, "told")
    (tmp_path / "results.md").write_text(
        "# Results\n\n## Success\n\n| task | actor | n |\n|---|---|---|\n| Lift | expert | 100 |\n"
        "| Lift | `mip-unet`, 9 steps | 50 |\n| LiftTwo | expert | 3 |\n\n| task | x |\n|---|---|\n| Lift | no |\n\n"
        "## Speed\n\n```sh\n# Lift in a comment\n```\n"
    )
    (tmp_path / "other.md").write_text("# Other\n\nNothing.\n\n## Of it\n\n`mip-unet` is used.\n")
    rows = told.result_rows(tmp_path, "task", "^Lift$").splitlines()
    assert rows == [
        "| task | actor | n |",
        "|---|---|---|",
        "| Lift | expert | 100 |",
        "| Lift | `mip-unet`, 9 steps | 50 |",
    ]
    assert len(told.result_rows(tmp_path, "actor", "`mip-unet`").splitlines()) == 3
    assert told.mentions(tmp_path, "`mip-unet`", "environments/") == (
        "- [Other: Of it](../other.md#of-it)\n- [Results: Success](../results.md#success)\n"
    )
    assert "[Results: Speed](results.md#speed)" in told.mentions(tmp_path, r"\bLift\b")
    assert told.result_rows(tmp_path, "task", "^Absent$") == ""


def test_the_page_of_policies_has_all_of_the_registry(room: ModuleType) -> None:
    text = page(room, "policies").policies_page(ROOT / "docs")
    assert all(f"\n## {name}\n" in text for name in POLICIES)
    assert "200 demonstrations" in text.split("## diffusion-unet\n")[1].split("\n## ")[0], "its rows of the results"


def test_pages_without_a_place_stand_under_more(room: ModuleType) -> None:
    navigation = page(room, "navigation")
    known = navigation.pages_in(navigation.navigation([], [], []))
    docs = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert docs <= known, "a page of docs/ without a place in scripts/documentation/docs_pages/navigation.py"
    assert {"More": ["new.md"]} in navigation.navigation(["new.md", "a.png", *known], [], [])


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """What a browser fetches without being asked."""
        for name, value in attrs:
            if name in ("src", "srcset") or (tag == "link" and name == "href"):
                self.loaded.append(value or "")


@pytest.mark.slow
def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "build.py"), str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for entry in ENVIRONMENTS:
        name = entry.removeprefix("barkyard/").rsplit("-v", 1)[0]
        assert (tmp_path / f"site/environments/{name}.png").stat().st_size > 1000
    for built in (tmp_path / "site").rglob("*.html"):
        parser = _Page()
        parser.feed(built.read_text())
        assert not [place for place in parser.loaded if place.startswith(("http", "//"))], built


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/index.md").write_text("# It\n\n[gone](gone.md)\n")
    (tmp_path / "mkdocs.yml").write_text(f'{{"INHERIT": "{ROOT}/mkdocs.yml", "docs_dir": "pages"}}')
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(tmp_path / "mkdocs.yml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and "gone.md" in done.stderr
