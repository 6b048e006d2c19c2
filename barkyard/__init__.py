"""Barkyard: simulation-first robot learning on MuJoCo.

Importing it registers the environments with Gymnasium and imports nothing heavy.
"""

import gymnasium

from barkyard.envs.entries import ENVIRONMENTS

__version__ = "0.1.0"


def _register() -> None:
    for entry in ENVIRONMENTS.values():
        if entry.id not in gymnasium.registry:
            gymnasium.register(
                id=entry.id,
                entry_point="barkyard.envs.registry:make_env",
                vector_entry_point="barkyard.envs.registry:make_vec_env",
                kwargs={"env_id": entry.id},
            )


_register()
