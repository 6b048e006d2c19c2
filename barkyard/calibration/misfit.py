"""Whether what is left after the fit follows the motion, and so is the model's fault and no noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.calibration.logs import RobotLog
from barkyard.calibration.problem import Linearization

Array = NDArray[np.float64]

MISFIT: Final = 0.1
"""From this part on that follows the motion, the model does not explain the joint. A choice; noise gives about 0."""
FOLDS: Final = 4
LAGS: Final = (0.0, 0.05, 0.1)
"""How long ago the motion was that is looked at [s]. A choice."""
_SLOW: Final = 0.2
"""Speed at which friction has turned, as a part of the joint's root mean square speed. A choice."""
_RIDGE: Final = 1e-3


@dataclass(frozen=True)
class Misfit:
    """What the model lacks with the best parameters there are.

    Attributes:
        joints: names, J.
        explained: `(J,)` part of the deviations' power that is foretold from the motion, from 0 to 1.
        deviations: weighted sum of squares of all deviations [rad^2].
    """

    joints: tuple[str, ...]
    explained: Array
    deviations: float

    @property
    def found(self) -> tuple[str, ...]:
        """Joints that the model does not explain."""
        return tuple(joint for joint, part in zip(self.joints, self.explained, strict=True) if part >= MISFIT)

    @property
    def power(self) -> float:
        """Of the deviations that may be the model's fault [rad^2]: all, if any joint is found."""
        return self.deviations if self.found else 0.0


def find_misfit(point: Linearization, logs: Sequence[RobotLog], block_seconds: float) -> Misfit:
    """Foretell the deviations of each joint from its simulated motion, on blocks that the regression has not seen.

    Noise cannot be foretold; friction of another shape, play and compliance can. It is a test for omitted effects (the
    idea of Ramsey 1969), with cross-validation by blocks in place of his F test, since deviations are correlated in
    time. The motion is the simulation's, because the measured one has the noise in it.

    Args:
        point: the problem at its solution.
        logs: its recordings.
        block_seconds: length of the blocks, longer than the memory of the deviations [s].
    """
    joints = logs[0].joints
    parts = [_of_recording(point, log, rows, block_seconds) for log, rows in _recordings(point, logs)]
    fold = np.concatenate([fold for _, _, fold in parts])
    explained, deviations = np.zeros(len(joints)), 0.0
    for j in range(len(joints)):
        target = np.concatenate([left[:, j] for left, _, _ in parts])
        regressors = np.concatenate([columns[j] for _, columns, _ in parts])
        explained[j] = _foretold(regressors, target, fold)
        deviations += float(np.sum(target**2))
    return Misfit(joints, explained, deviations)


def _recordings(point: Linearization, logs: Sequence[RobotLog]) -> list[tuple[RobotLog, slice]]:
    """Every recording with its rows of the residuals."""
    edges = np.cumsum([0, *(len(log.time) * len(log.joints) for log in logs)])
    return [(log, slice(int(a), int(b))) for log, a, b in zip(logs, edges, edges[1:], strict=False)]


def _of_recording(
    point: Linearization, log: RobotLog, rows: slice, block_seconds: float
) -> tuple[Array, list[Array], NDArray[np.intp]]:
    """Weighted deviations `(T, J)`, the regressors of each joint, and the fold of each sample."""
    residuals, weights = (values[rows].reshape(len(log.time), -1) for values in (point.residuals, point.weights))
    held = np.clip(np.searchsorted(log.command_time, log.time, side="right") - 1, 0, None)
    angles, command = residuals + log.position, log.command[held]
    period = log.duration / (len(log.time) - 1)
    columns = [_regressors(period, angle, target) for angle, target in zip(angles.T, command.T, strict=True)]
    fold = ((log.time - log.time[0]) / block_seconds).astype(np.intp) % FOLDS
    return np.sqrt(weights) * residuals, columns, fold


def _regressors(period: float, angle: Array, command: Array) -> Array:
    """`(T, K)` what a drive's unmodelled parts may depend on, now and a little earlier."""
    pull, speed = command - angle, np.gradient(angle, period)
    slow = _SLOW * float(np.sqrt(np.mean(speed**2))) + 1e-9
    turned = np.tanh(speed / slow)
    friction = (turned, turned * np.exp(-((speed / slow) ** 2)), turned * np.abs(pull))
    now = (angle, angle**2, pull, pull * np.abs(pull), speed, speed * np.abs(speed), np.gradient(speed, period))
    columns = np.stack([*now, *friction], axis=1)
    earlier = dict.fromkeys(round(lag / period) for lag in LAGS)
    return np.concatenate([np.concatenate([columns[:1]] * k + [columns[: len(columns) - k]]) for k in earlier], axis=1)


def _foretold(regressors: Array, target: Array, fold: NDArray[np.intp]) -> float:
    """Part of the power of `target` that ridge regression foretells in folds it was not fitted to; at least 0."""
    spread, total = regressors.std(axis=0), float(np.sum(target**2))
    if total == 0.0 or len(set(fold.tolist())) < FOLDS:
        return 0.0
    moving = spread > 1e-12
    used = np.column_stack([np.ones(len(target)), (regressors[:, moving]) / spread[moving]])
    missed = 0.0
    for number in range(FOLDS):
        seen, unseen = fold != number, fold == number
        gram = used[seen].T @ used[seen] + _RIDGE * seen.sum() * np.eye(used.shape[1])
        coefficients = np.linalg.solve(gram, used[seen].T @ target[seen])
        missed += float(np.sum((target[unseen] - used[unseen] @ coefficients) ** 2))
    return max(0.0, 1.0 - missed / total)
