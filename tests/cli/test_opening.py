"""Environments and actors from words."""

from pathlib import Path

import pytest

from barkyard.cli.opening import environment_arguments, make_actor, open_environment
from barkyard.errors import BarkyardError, InvalidInput


def test_arguments_are_json_or_text() -> None:
    words = ["reward=sparse", "camera_size=[64, 64]", '{"terminate_on_success": false}', "robot=null"]
    assert environment_arguments(words, ["agentview"]) == {
        "reward": "sparse",
        "camera_size": [64, 64],
        "terminate_on_success": False,
        "robot": None,
        "cameras": ["agentview"],
    }


@pytest.mark.parametrize("word", ["sparse", "=1", "a b=1", "{broken"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match="environment argument"):
        environment_arguments([word])


def test_an_unknown_argument_is_refused_with_the_valid_ones() -> None:
    with (
        pytest.raises(InvalidInput, match=r"unknown environment argument 'controler'; valid: .*controller"),
        open_environment("barkyard/Lift-v0", 1, {"controler": "OSC_POSE"}),
    ):
        pass


def test_the_number_of_environments_is_checked() -> None:
    with pytest.raises(InvalidInput, match="--num-envs is 0"), open_environment("barkyard/Lift-v0", 0, {}):
        pass


def test_an_actor_is_a_name_or_a_checkpoint(tmp_path: Path) -> None:
    with open_environment("barkyard/Lift-v0", 2, {}) as env:
        actor, fingerprints = make_actor("random", env)
        assert (actor.name, fingerprints) == ("random", {})
        with pytest.raises(InvalidInput, match="neither expert, random, nor"):
            make_actor("exprt", env)
        with pytest.raises(BarkyardError, match=str(tmp_path)):
            make_actor(str(tmp_path), env)
