"""Trying out in subprocesses what can crash, hang or depend on environment variables: OpenGL, torch, mp4."""

import json
import os
import subprocess
import sys
from typing import Any, Final

TIMEOUT_S: Final = 120.0

_GL = """
import json, sys, time
import mujoco
model = mujoco.MjModel.from_xml_string('''
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="1 1 .1" rgba=".3 .5 .3 1"/>
    <geom type="box" size=".2 .2 .2" pos="0 0 .2" rgba=".8 .2 .2 1"/>
    <geom type="sphere" size=".2" pos=".4 .3 .2" rgba=".2 .2 .8 1"/>
  </worldbody>
</mujoco>''')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 256, 256) as renderer:
    renderer.update_scene(data)
    image = renderer.render()
    if image.std() == 0:
        sys.exit("the picture is blank")
    began, frames = time.perf_counter(), 0
    while time.perf_counter() - began < 0.5:
        renderer.update_scene(data)
        renderer.render()
        frames += 1
    seconds = time.perf_counter() - began
print(json.dumps({"frames_per_second": round(frames / seconds, 1)}))
"""

_TORCH = """
import json, torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"threads": torch.get_num_threads(), "gpus": gpus}))
"""

_MP4 = """
import json, pathlib, sys, tempfile
import imageio.v2 as imageio
import numpy as np
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "probe.mp4"
    frames = [np.full((64, 64, 3), 40 * i, np.uint8) for i in range(5)]
    imageio.mimwrite(path, frames, fps=20)
    with imageio.get_reader(path) as reader:
        read = sum(1 for _ in reader)
if read != len(frames):
    sys.exit(f"wrote {len(frames)} frames and read {read}")
print(json.dumps({"frames": read}))
"""

_APT: Final = "sudo apt-get install -y --no-install-recommends "
GL_PACKAGES: Final = {"osmesa": _APT + "libosmesa6", "egl": _APT + "libegl1 libgl1 libgl1-mesa-dri"}

# What the libraries say when a backend cannot start, and what that means.
_GL_ERRORS: Final = (
    ("eglQueryString", "no EGL library"),
    ("glGetError", "no OpenGL library"),
    ("eglInitialize", "EGL finds no driver"),
    ("Cannot initialize a EGL device display", "EGL finds no driver"),
    ("an OpenGL platform library has not been loaded", "no OpenGL library"),
)


class ProbeError(Exception):
    """A probe did not end well; the message is the last line it printed."""


def probe_gl(backend: str) -> float:
    """Frames per second of a small scene at 256 x 256 with `backend` (`osmesa` or `egl`). Raises ProbeError."""
    environment = {**os.environ, "MUJOCO_GL": backend, "PYOPENGL_PLATFORM": backend}
    return float(_run(_GL, environment)["frames_per_second"])


def probe_torch() -> dict[str, Any]:
    """`threads` and the names of the `gpus` that torch sees. Raises ProbeError."""
    return _run(_TORCH, dict(os.environ))


def probe_mp4() -> None:
    """Writes an mp4 and reads it back. Raises ProbeError."""
    _run(_MP4, dict(os.environ))


def explain_gl_error(message: str) -> str:
    """A plain reason in front of what an OpenGL library said."""
    for said, meaning in _GL_ERRORS:
        if said in message:
            return f"{meaning} ({message})"
    return message


def _run(code: str, environment: dict[str, str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise ProbeError(lines[-1] if lines else f"exit code {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report
