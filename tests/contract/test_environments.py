"""Every contract over every registered environment, and over a specimen that breaks it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from barkyard.envs.entries import ENVIRONMENTS
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from tests.contract import environment_contracts as contracts
from tests.contract.environment_contracts import CONTRACTS, SLOTS


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.__name__)
def test_environment_keeps_its_contract(env_id: str, contract: Callable[..., None]) -> None:
    if env_id.startswith("barkyard/Humanoid"):
        pytest.importorskip("dm_control", reason="the extra `humanoid` is not installed")
    contract(lambda: make_vec_env(env_id, SLOTS, autoreset_mode="Disabled"))


class Specimen:
    """A Lift environment with one thing broken."""

    def __init__(self) -> None:
        self._env: RobotVectorEnv = make_vec_env("barkyard/Lift-v0", SLOTS, autoreset_mode="Disabled")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def reset(self, **kwargs: Any) -> tuple[Any, Any]:
        observations, info = self._env.reset(**kwargs)
        return self.change_observations(observations), info

    def step(self, actions: np.ndarray) -> tuple[Any, ...]:
        observations, reward, terminated, truncated, info = self._env.step(actions)
        return self.change(self.change_observations(observations), reward, terminated, truncated, info)

    def change_observations(self, observations: Any) -> Any:
        return observations

    def change(self, *step: Any) -> tuple[Any, ...]:
        return step


class WrongDtype(Specimen):
    def change_observations(self, observations: Any) -> Any:
        return observations | {"joint_pos": observations["joint_pos"].astype(np.float64)}


class NotFinite(Specimen):
    def change_observations(self, observations: Any) -> Any:
        observations["joint_vel"][0, 0] = np.inf
        return observations


class RewardTooLarge(Specimen):
    def change(self, observations: Any, reward: Any, *rest: Any) -> tuple[Any, ...]:
        return (observations, reward + 1.0, *rest)


class SameStart(Specimen):
    def reset(self, **kwargs: Any) -> tuple[Any, Any]:
        return super().reset(**kwargs | {"seed": 0})


class NotSeeded(Specimen):
    def reset(self, **kwargs: Any) -> tuple[Any, Any]:
        return super().reset(**kwargs | {"seed": None})


class IgnoresItsSeed(Specimen):
    def reset(self, **kwargs: Any) -> tuple[Any, Any]:
        return super().reset(**kwargs | {"seed": 5})


class SharedBuffer(Specimen):
    buffer: Any = None

    def change_observations(self, observations: Any) -> Any:
        self.buffer = self.buffer or observations
        for name, values in observations.items():
            self.buffer[name][...] = values
        return dict(self.buffer)


class DeadElement(Specimen):
    def change_observations(self, observations: Any) -> Any:
        observations["joint_pos"][:, 3] = 0.5
        return observations


class SilentSuccess(Specimen):
    def change(self, *step: Any) -> tuple[Any, ...]:
        return (*step[:4], step[4] | {"is_success": ~step[4]["success"]})


class NeverEnds(Specimen):
    def change(self, *step: Any) -> tuple[Any, ...]:
        return (*step[:3], np.zeros_like(step[3]), step[4])


class LosesMemory(Specimen):
    """Its states leave out the task's and the controller's memory."""

    def get_states(self) -> np.ndarray:
        states = self._env.get_states()
        states[:, -30:] = 0.0
        return states


BROKEN = {
    contracts.observations_fit_the_space: WrongDtype,
    contracts.everything_is_finite: NotFinite,
    contracts.rewards_are_in_the_unit_interval: RewardTooLarge,
    contracts.starts_are_randomised: SameStart,
    contracts.equal_seeds_give_equal_episodes: NotSeeded,
    contracts.different_seeds_give_different_episodes: IgnoresItsSeed,
    contracts.observations_are_fresh_arrays: SharedBuffer,
    contracts.no_observation_element_is_constant: DeadElement,
    contracts.info_says_success_and_why_it_ended: SilentSuccess,
    contracts.episodes_end_and_begin_again: NeverEnds,
    contracts.stored_states_replay_exactly: LosesMemory,
}


def test_every_contract_has_a_broken_specimen() -> None:
    assert set(BROKEN) == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "broken"), BROKEN.items(), ids=lambda x: x.__name__)
def test_broken_specimen_fails(contract: Callable[..., None], broken: type[Specimen]) -> None:
    with pytest.raises(AssertionError):
        contract(broken)
