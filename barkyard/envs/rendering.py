"""Pictures of a batch's simulations, without a display.

The OpenGL backend is what `MUJOCO_GL` names; where that is unset and there is no display, `osmesa`, then `egl`.
Shadows, reflections and multisampling are off: in software they cost most of the time of a frame.
"""

import importlib
import os
import platform
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from barkyard.envs.visual.overlay import foreground_geoms, lay_over, read_photograph
from barkyard.errors import InvalidInput, RenderingError

Image = NDArray[np.uint8]

_COLLISION_GROUP = 0
_MARKS = (int(mujoco.mjtRndFlag.mjRND_SEGMENT), int(mujoco.mjtRndFlag.mjRND_IDCOLOR))
_INSTALL = "install a software renderer with: apt-get install -y libosmesa6   (or libegl1 libgl1 and MUJOCO_GL=egl)"


class Cameras:
    """Renders the cameras of a scene for any simulation of a batch. Make and use it in one thread. Final."""

    def __init__(self, batch: Batch, height: int, width: int, photographs: Mapping[str, str] | None = None) -> None:
        """Make a context.

        Args:
            batch: whose simulations.
            height: of the pictures.
            width: of the pictures.
            photographs: by camera, the file of the photograph that is seen where nothing moves; see `visual.overlay`.

        Raises:
            RenderingError: no OpenGL backend works.
            InvalidInput: a photograph cannot be read, or has another shape.
        """
        self._photographs = {name: read_photograph(path, height, width) for name, path in (photographs or {}).items()}
        self._batch = batch
        self._model = batch.get_model(0)
        self._model.vis.quality.offsamples = 0
        self._model.vis.global_.offheight = max(height, self._model.vis.global_.offheight)
        self._model.vis.global_.offwidth = max(width, self._model.vis.global_.offwidth)
        self._data = mujoco.MjData(self._model)
        self._context = make_context(width, height)
        self._scene = mujoco.MjvScene(self._model, maxgeom=2000)
        for flag in ("SHADOW", "REFLECTION", "SKYBOX", "HAZE"):
            self._scene.flags[int(getattr(mujoco.mjtRndFlag, f"mjRND_{flag}"))] = 0
        self._option = mujoco.MjvOption()
        self._option.geomgroup[_COLLISION_GROUP] = 0
        self._option.sitegroup[:] = 0
        self._mjr = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._mjr)
        self._view = mujoco.MjrRect(0, 0, width, height)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED

    def render(self, camera: str, simulations: NDArray[np.intp]) -> Image:
        """Pictures (k, H, W, 3) of the present states of `simulations`. Raises InvalidInput for an unknown camera."""
        self._camera.fixedcamid = camera_id(self._model, camera)
        self._context.make_current()
        frames = np.empty((len(simulations), self._view.height, self._view.width, 3), dtype=np.uint8)
        photograph = self._photographs.get(camera)
        marks = np.empty_like(frames) if photograph is not None else None
        for k, i in enumerate(simulations):
            self._batch.get_model(int(i), self._model)
            self._batch.get_data(int(i), self._data)
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_comPos(self._model, self._data)
            mujoco.mj_camlight(self._model, self._data)
            everything = mujoco.mjtCatBit.mjCAT_ALL.value
            mujoco.mjv_updateScene(self._model, self._data, self._option, None, self._camera, everything, self._scene)
            self._draw(frames[k])
            if marks is not None:
                self._draw_marks(marks[k])
        if photograph is not None and marks is not None:
            return lay_over(frames[:, ::-1], photograph, self._foreground(marks)[:, ::-1])
        return np.ascontiguousarray(frames[:, ::-1])

    def _draw(self, frame: Image) -> None:
        mujoco.mjr_render(self._view, self._scene, self._mjr)
        mujoco.mjr_readPixels(frame, None, self._view, self._mjr)

    def _draw_marks(self, frame: Image) -> None:
        """The scene with a number for a colour on every geom."""
        self._scene.flags[list(_MARKS)] = 1
        self._draw(frame)
        self._scene.flags[list(_MARKS)] = 0

    def _foreground(self, marks: Image) -> NDArray[np.bool_]:
        """`(k, H, W)` which pixels show something that the simulation draws."""
        numbers = marks.astype(np.int64) @ np.array([1, 256, 65536])
        drawn = np.zeros(self._scene.ngeom + 1, dtype=bool)
        moving = foreground_geoms(self._model)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                drawn[geom.segid + 1] = moving[geom.objid]
        return drawn[numbers]

    def close(self) -> None:
        """Free the OpenGL context."""
        self._mjr.free()
        self._context.free()


def camera_id(model: mujoco.MjModel, camera: str) -> int:
    """Raises InvalidInput naming the cameras that exist."""
    found = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
    if found < 0:
        names = [model.camera(i).name for i in range(model.ncam)]
        raise InvalidInput(f"unknown camera {camera!r}; the scene has {', '.join(names)}")
    return int(found)


def make_context(width: int, height: int) -> Any:
    """An off-screen OpenGL context of MuJoCo's. Raises RenderingError with the line that installs one."""
    failures = []
    for backend in _backends():
        try:
            context = importlib.import_module(f"mujoco.{backend}").GLContext(width, height)
            context.make_current()
            return context
        except Exception as error:  # each backend fails in its own way: ImportError, AttributeError, RuntimeError
            failures.append(f"{backend}: {error}")
    raise RenderingError(f"no OpenGL backend works ({'; '.join(failures)}); {_INSTALL}")


def _backends() -> tuple[str, ...]:
    named = os.environ.get("MUJOCO_GL", "").lower().strip()
    if named in ("osmesa", "egl", "glfw", "cgl"):
        return (named,)
    if named in ("disable", "disabled", "off", "false", "0"):
        raise RenderingError(f"MUJOCO_GL={named} turns rendering off; unset it or set it to osmesa or egl")
    if platform.system() == "Darwin":
        return ("cgl",)
    return ("glfw", "osmesa", "egl") if os.environ.get("DISPLAY") else ("osmesa", "egl")
