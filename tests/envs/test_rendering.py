"""What happens where OpenGL does not work."""

import subprocess
import sys

import pytest

SCRIPT = """
import gymnasium, barkyard
from barkyard.errors import RenderingError
try:
    env = gymnasium.make("barkyard/Lift-v0", render_mode="rgb_array")
    env.reset(seed=0)
    env.render()
except RenderingError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"MUJOCO_GL": "disable"}, ["MUJOCO_GL=disable turns rendering off"]),
        ({"MUJOCO_GL": "osmesa", "PYOPENGL_PLATFORM": "egl"}, ["osmesa", "apt-get install -y libosmesa6"]),
    ],
)
def test_missing_gl_gives_the_line_that_mends_it(
    environment: dict[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    for word in words:
        assert word in done.stdout
