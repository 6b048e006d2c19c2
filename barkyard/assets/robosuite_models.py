"""robosuite's models as `MjSpec`, with short names.

Only `robosuite.models` is used: its run-time classes do not work on this version of MuJoCo.
"""

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

import mujoco


@contextlib.contextmanager
def quiet_robosuite() -> Iterator[None]:
    """Import robosuite without the advice it prints and without its change to `MUJOCO_GL`."""
    logger = logging.getLogger("robosuite_logs")
    backend = os.environ.get("MUJOCO_GL")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            import robosuite.models  # noqa: F401
        logger.setLevel(logging.ERROR)
        yield
    finally:
        if backend is None:
            os.environ.pop("MUJOCO_GL", None)
        else:
            os.environ["MUJOCO_GL"] = backend


def to_spec(model: Any, renames: Mapping[str, str] | None = None) -> mujoco.MjSpec:
    """Parse a robosuite model (robot, arena or world), replacing name prefixes given by `renames`."""
    xml = model.get_xml()
    for old, new in (renames or {}).items():
        xml = xml.replace(old, new)
    spec = mujoco.MjSpec.from_string(xml)
    spec.njmax = spec.nconmax = -1
    return spec


def object_spec(model: Any) -> mujoco.MjSpec:
    """Parse a robosuite object into a spec of its own: body `main` with free joint `joint0`, geoms `g0`, ..."""
    with quiet_robosuite():
        from robosuite.models.world import MujocoWorldBase
    world = MujocoWorldBase()
    world.merge_assets(model)
    world.worldbody.append(model.get_obj())
    return to_spec(world, {f'"{model.name}_': '"'})
