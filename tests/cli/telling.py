"""`python -m tests.cli.telling FILE WORD ...` runs a command, and writes what its person sees to FILE at every look.

One JSON object: `phase`, `kept`, and where the tool point and the cube of Lift are (`tcp`, `cube`).
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from barkyard.cli import teleop as teleop_module
from barkyard.cli.main import main
from tests.cli.test_teleop import noting_environment


def telling(file: Path, words: list[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        made = noting_environment(patch)

        def show(self: object, status: Any, picture: object) -> None:
            env = made["env"]
            places = {"tcp": env.simulation.robot.tcp_pos_world[0], "cube": env.task.grasping.object.pos[0]}
            seen = {"phase": status.phase, "kept": status.kept} | {name: at.tolist() for name, at in places.items()}
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps(seen))
            os.replace(fresh, file)

        patch.setattr(teleop_module.StatusLine, "show", show)
        return main(words)


if __name__ == "__main__":
    sys.exit(telling(Path(sys.argv[1]), sys.argv[2:]))
