"""`import barkyard` is light and leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROBE = """
import json, sys, time
import barkyard
print(json.dumps({"seconds": time.process_time(), "modules": sorted(sys.modules)}))
"""
HEAVY = ("torch", "robosuite", "dm_control", "diffusers", "numba", "OpenGL", "cv2", "matplotlib", "pyarrow", "ray")


ROOT = Path(__file__).parents[1]


def run_probe(code: str, home: Path) -> str:
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=home, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_import_is_light_quick_and_writes_nothing(tmp_path: Path) -> None:
    report = json.loads(run_probe(PROBE, tmp_path))
    loaded = {name.split(".")[0] for name in report["modules"]}
    assert "barkyard" in loaded
    assert loaded.isdisjoint(HEAVY)
    assert not [name for name in report["modules"] if name.startswith("mujoco.gl_context") or "osmesa" in name]
    assert report["seconds"] < 2.0
    assert list(tmp_path.iterdir()) == []


def test_import_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    code = "import numpy as np; np.random.seed(3); import barkyard; print(np.random.rand())"
    without = "import numpy as np; np.random.seed(3); print(np.random.rand())"
    assert run_probe(code, tmp_path) == run_probe(without, tmp_path)
