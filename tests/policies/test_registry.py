import os
import subprocess
import sys

import pytest

from barkyard.errors import InvalidInput
from barkyard.policies.registry import POLICIES, find, register


def test_names() -> None:
    assert {
        "diffusion-unet",
        "diffusion-transformer",
        "diffusion-unet-published",
        "diffusion-transformer-published",
        "mip-unet",
        "mip-transformer",
    } <= set(POLICIES)


def test_a_name_is_taken_once() -> None:
    before = dict(POLICIES)
    with pytest.raises(InvalidInput, match="'diffusion-unet' is already registered as barkyard.policies.diffusion"):
        register(POLICIES["diffusion-unet"])
    assert before == POLICIES


def test_unknown_name() -> None:
    with pytest.raises(InvalidInput, match="unknown policy 'difusion'; valid: body-transformer-hard"):
        find("difusion")


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_entry_can_be_imported(name: str) -> None:
    entry = find(name)
    assert entry.name == name
    assert entry.policy_class() and entry.make_config().horizon and entry.make_training().steps


def test_listing_is_light() -> None:
    program = (
        "import sys; from barkyard.policies.registry import POLICIES; [e.make_config() for e in POLICIES.values()]; "
        "print(sorted({'torch', 'diffusers', 'numba'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert out.stdout == "[]\n"
