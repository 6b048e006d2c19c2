"""The least-squares problem: deviations of simulated from measured angles, their cost and their derivatives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from barkyard.calibration.logs import RobotLog
from barkyard.calibration.unknowns import Unknown, spread

Array = NDArray[np.float64]

STEP: Final = 2e-5
"""Step of the finite differences, in places from 0 to 1. A choice: with a step fifty times larger, the corners of
friction feigned knowledge of the unit of torque where there was none."""


class Simulator(Protocol):
    """A simulated robot: its joints (`Plant`), or its tool (`ToolPlant`)."""

    def simulate(self, values: Array, log: RobotLog) -> Array:
        """`(N, T, J)` what would have been measured, from `(N, P)` parameters."""


@dataclass(frozen=True)
class Linearization:
    """The problem about one point.

    Attributes:
        places: `(P,)` the point.
        residuals: `(R,)` simulated less measured angle [rad]: recordings, samples and joints in a row.
        weights: `(R,)` from the robust loss, from 0 to 1.
        jacobian: `(R, P)` derivatives by the places.
    """

    places: Array
    residuals: Array
    weights: Array
    jacobian: Array

    @property
    def hessian(self) -> Array:
        """`(P, P)` Gauss-Newton's."""
        result: Array = self.jacobian.T @ (self.jacobian * self.weights[:, None])
        return result

    @property
    def gradient(self) -> Array:
        """`(P,)` of half the cost."""
        result: Array = self.jacobian.T @ (self.weights * self.residuals)
        return result


@dataclass(frozen=True)
class Problem:
    """What a fit minimises: the pseudo-Huber cost of all deviations.

    Attributes:
        plant: the simulated robot; its parameters are the unknowns' targets.
        unknowns: what is sought.
        logs: played in full, from their first measurement, open loop.
        loss_scale: deviations beyond this count linearly, those within quadratically [rad].
    """

    plant: Simulator
    unknowns: tuple[Unknown, ...]
    logs: tuple[RobotLog, ...]
    loss_scale: float

    def residuals(self, places: Array) -> Array:
        """`(N, R)` deviations [rad] at `(N, P)` places."""
        values = spread(self.unknowns, places)
        parts = [self.plant.simulate(values, log) - log.position for log in self.logs]
        return np.concatenate([part.reshape(len(places), -1) for part in parts], axis=1)

    def cost(self, places: Array) -> Array:
        """`(N,)` costs; infinite where a simulation diverged."""
        return self.costs_by_joint(self.residuals(places)).sum(axis=1)

    def costs_by_joint(self, residuals: Array) -> Array:
        """`(N, J)` costs of each joint's deviations, for logs with the same joints."""
        scale, joints = self.loss_scale, len(self.logs[0].joints)
        each = scale**2 * (np.sqrt(1.0 + (residuals / scale) ** 2) - 1.0)
        costs: Array = each.reshape(len(residuals), -1, joints).sum(axis=1)
        return np.where(np.isfinite(costs), costs, np.inf)

    def weights(self, residuals: Array) -> Array:
        """How much each deviation counts in least squares: 1 if it is small."""
        result: Array = 1.0 / np.sqrt(1.0 + (residuals / self.loss_scale) ** 2)
        return result

    def linearize(self, places: Array, *, coloured: bool = False) -> Linearization:
        """Forward differences, all in one batch.

        Args:
            places: `(P,)`.
            coloured: perturb one unknown of every joint at a time (Curtis, Powell and Reid 1974), as if an unknown of
                one joint moved no other. Joints behind gears nearly are so; it takes as many simulations as a joint has
                unknowns.
        """
        groups = colours(self.unknowns) if coloured else [[i] for i in range(len(self.unknowns))]
        signs = np.where(places + STEP <= 1.0, STEP, -STEP)
        points = np.repeat(places[None], len(groups) + 1, axis=0)
        for row, group in enumerate(groups, start=1):
            points[row, group] += signs[group]
        all_residuals = self.residuals(points)
        residuals = all_residuals[0]
        owners = np.concatenate([np.tile(np.arange(len(log.joints)), len(log.time)) for log in self.logs])
        joints = self.logs[0].joints
        jacobian = np.zeros((len(residuals), len(places)))
        for row, group in enumerate(groups, start=1):
            change = all_residuals[row] - residuals
            for i in group:
                alone = len(group) == 1
                rows = slice(None) if alone else owners == joints.index(self.unknowns[i].joint)
                jacobian[rows, i] = change[rows] / signs[i]
        return Linearization(places, residuals, self.weights(residuals), jacobian)


def colours(unknowns: Sequence[Unknown]) -> list[list[int]]:
    """Groups of local unknowns with at most one a joint; every other one is a group of its own."""
    groups: list[list[int]] = []
    for i, unknown in enumerate(unknowns):
        fitting = (
            group
            for group in groups
            if unknown.local and all(unknowns[k].local and unknowns[k].joint != unknown.joint for k in group)
        )
        group = next(fitting, None)
        if group is None:
            groups.append([i])
        else:
            group.append(i)
    return groups
