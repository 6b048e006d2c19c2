"""A person who takes over from whoever acts, and gives back."""

import time
from dataclasses import replace
from typing import Any, Final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.teleop.command import Command, Device
from barkyard.teleop.operator import Operator

TAKEN_OVER: Final = 0.5
"""The person has the robot for this long after the last input [s], as in SERL."""


class Intervention:
    """Says at each step whether the person acts, and how. Final.

    Args:
        device: what the person holds; open.
        operator: carries out the commands.
    """

    def __init__(self, device: Device, operator: Operator) -> None:
        self._device, self._operator = device, operator
        self._taken_until = 0.0

    def begin(self) -> None:
        """An episode begins; nobody has taken over."""
        self._taken_until = 0.0

    def choose(
        self, command: Command, proposal: NDArray[np.float32], observations: Observations, now: float
    ) -> NDArray[np.float32] | None:
        """The person's action, or None where the other acts.

        Args:
            command: of the person.
            proposal: `(1, A)` what the other would do; the gripper stays where that puts it until the person moves it.
            observations: `(1, ...)`.
            now: of `time.monotonic`.
        """
        taken = now < self._taken_until
        if command.acts:
            if not taken and not command.changed:
                gripper = self._operator.gripper(proposal)
                self._device.set_gripper(gripper)
                command = replace(command, gripper=gripper)
            taken, self._taken_until = True, now + TAKEN_OVER
        return self._operator.action(command, observations) if taken else None


class InterventionWrapper(gym.Wrapper[Observations, NDArray[np.float32], Observations, NDArray[np.float32]]):
    """One environment in which a person may take over from the agent that steps it. Final.

    At steps where the person does, the executed action is `info["intervene_action"]`, as in SERL and HIL-SERL; a
    learner stores it in the place of its own. It keeps no pace: who wants real time waits between the steps.

    Args:
        env: with observations of named arrays.
        device: what the person holds; open.
        operator: carries out the commands, as `barkyard.experts.driving.make_operator` makes it.
    """

    def __init__(self, env: gym.Env[Observations, NDArray[np.float32]], device: Device, operator: Operator) -> None:
        super().__init__(env)
        self._device, self._operator = device, operator
        self._intervention = Intervention(device, operator)
        self._observations: Observations = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode, in which nobody has taken over."""
        self._observations, info = self.env.reset(seed=seed, options=options)
        self._intervention.begin()
        self._operator.begin(seed or 0)
        self._device.begin(0.0)
        return self._observations, info

    def step(self, action: NDArray[np.float32]) -> tuple[Observations, Any, bool, bool, dict[str, Any]]:
        """Advance by the person's action, or else by `action`; see `gymnasium.Env`."""
        now = time.monotonic()
        batch = {name: np.asarray(values)[None] for name, values in self._observations.items()}
        proposal = np.asarray(action, dtype=np.float32)
        taken = self._intervention.choose(self._device.read(now), proposal[None], batch, now)
        executed = proposal if taken is None else taken[0]
        self._observations, reward, terminated, truncated, info = self.env.step(executed)
        if taken is not None:
            info = {**info, "intervene_action": executed}
        return self._observations, reward, terminated, truncated, info
