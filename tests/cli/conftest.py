"""A small dataset that the command tests read."""

from pathlib import Path

import pytest

from barkyard.cli.main import main


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three episodes of the expert."""
    path = tmp_path_factory.mktemp("demonstrations") / "dataset"
    assert main(["collect", "barkyard/Lift-v0", "--episodes", "3", "--out", str(path), "--quiet"]) == 0
    return path
