"""What `pip install` puts on a machine is all that is needed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGED = {".py", ".jinja", ".html", ".json", ".xml", ".css", ".js", ".stl", ".obj", ".png", ".md", ".typed"}


@pytest.mark.slow
def test_a_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    source = tmp_path / "source"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    for name in files:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    subprocess.run(build, cwd=source, check=True)
    (wheel,) = tmp_path.glob("barkyard-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {name for name in files if name.startswith("barkyard/")}
    assert {Path(name).suffix for name in wanted} <= PACKAGED, "a kind of file that setup.cfg does not package"
    assert wanted - inside == set()
    assert not any(name.startswith("tests/") for name in inside)
    assert any(name.endswith("licenses/LICENSE") for name in inside)
