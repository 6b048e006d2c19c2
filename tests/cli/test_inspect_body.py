"""A robot's body in words and as a picture."""

import json
from pathlib import Path

import imageio.v3 as imageio
import pytest

from barkyard.assets.robots.bodies import robot_body
from barkyard.cli.main import main
from barkyard.errors import RenderingError


def test_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "barkour_vb", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["base"], facts["joints"], facts["diameter"]) == ("body", "free", 12, 6)
    assert facts["limbs"]["FL_shank"] == "on FL_thigh by FL_knee, 0.245 m"
    assert facts["fingerprint"] == robot_body("barkour_vb").fingerprint


@pytest.mark.parametrize("robot", ["barkour_vb", "panda"])
def test_as_a_picture(robot: str, tmp_path: Path) -> None:
    """The robot fills a good part of it, and dots are where it is."""
    from barkyard.envs.rendering import make_context

    try:
        make_context(8, 8).free()
    except RenderingError as error:
        pytest.skip(str(error))
    assert main(["inspect", robot, "--graph", str(tmp_path / "body.png")]) == 0
    image = imageio.imread(tmp_path / "body.png")[..., :3]
    assert image.shape == (720, 1080, 3)
    assert 0.05 < (image < 250).any(axis=-1).mean() < 0.6


def test_only_bodies_have_graphs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path), "--graph", "x.png"]) == 2
    assert "The robots are barkour_v0, barkour_vb" in capsys.readouterr().err
