"""What the recordings determine and what they do not, apart from how well the fit follows them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.parameters import CENTRE_OF_MASS
from barkyard.calibration.problem import Linearization
from barkyard.calibration.uncertainty import Uncertainty
from barkyard.calibration.unknowns import TORQUES, Unknown

Array = NDArray[np.float64]

PRECISE_RATIO: Final = 1.25
"""An unknown that must be positive is identified if its interval is within this factor of the estimate. A choice."""
PRECISE: Final[Mapping[str, float]] = {
    "delay": 0.01,
    "measurement_delay": 0.01,
    "encoder_bias": 0.05,
    **dict.fromkeys(CENTRE_OF_MASS, 0.01),
}
"""Half the width of the interval up to which another unknown is identified, in its unit. A choice."""
TRADE_OFF: Final = 0.95
"""Correlation from which two unknowns can stand in for one another. A choice."""
_ON_BOUND: Final = 2e-3


@dataclass(frozen=True)
class TradeOff:
    """Two unknowns that the recordings cannot tell apart: names, and their correlation."""

    first: str
    second: str
    correlation: float


@dataclass(frozen=True)
class TorqueScale:
    """How surely the unit of torque of one joint is known.

    Attributes:
        joint: its name.
        factor: the unit is known within this factor, 95 %.
        ratios: of its torques to its position gain, by name: estimate, low and high.
    """

    joint: str
    factor: float
    ratios: Mapping[str, tuple[float, float, float]]

    @property
    def determined(self) -> bool:
        """Whether more than ratios is known."""
        return self.factor <= PRECISE_RATIO


@dataclass(frozen=True)
class Identifiability:
    """The verdict.

    Attributes:
        verdicts: one of `assets.calibration.VERDICTS` for each unknown, in order.
        singular_values: `(P,)` of the Jacobian by places, weighted; falling.
        trade_offs: pairs that can stand in for one another.
        scales: the unit of torque, joint by joint.
    """

    verdicts: tuple[str, ...]
    singular_values: Array
    trade_offs: tuple[TradeOff, ...]
    scales: tuple[TorqueScale, ...]

    @property
    def condition(self) -> float:
        """Largest over smallest singular value."""
        return float(self.singular_values[0] / max(self.singular_values[-1], 1e-300))


def judge(unknowns: Sequence[Unknown], point: Linearization, uncertainty: Uncertainty) -> Identifiability:
    """The verdict on each unknown, pairs that trade off, and what is known of the unit of torque.

    The unit of torque rests on the masses of the model, which gravity and inertia weigh the servos against. Where that
    says too little, every torque of a joint shares one factor, and only their ratios are determined.
    """
    verdicts = tuple(_verdict(unknown, i, point, uncertainty) for i, unknown in enumerate(unknowns))
    weighted = point.jacobian * np.sqrt(point.weights)[:, None]
    return Identifiability(
        verdicts,
        np.linalg.svd(weighted, compute_uv=False),
        _trade_offs(unknowns, uncertainty, verdicts),
        tuple(_scales(unknowns, point, uncertainty)),
    )


def _verdict(unknown: Unknown, i: int, point: Linearization, known: Uncertainty) -> str:
    if known.open[i]:
        return "not_excited"
    if not _ON_BOUND < point.places[i] < 1.0 - _ON_BOUND:
        return "on_bound"
    half = max(known.high[i] - point.places[i], point.places[i] - known.low[i]) * unknown.span
    precise = math.log(PRECISE_RATIO) if unknown.logarithmic else PRECISE[unknown.quantity]
    if half > precise:
        return "weakly_identified"
    return "within_model" if known.misfit.found else "identified"


def _trade_offs(unknowns: Sequence[Unknown], known: Uncertainty, verdicts: Sequence[str]) -> tuple[TradeOff, ...]:
    sd = np.sqrt(np.diag(known.covariance))
    moving = np.flatnonzero(sd > 0.0)
    correlation = known.covariance[np.ix_(moving, moving)] / np.outer(sd[moving], sd[moving])
    found = []
    for a in range(len(moving)):
        for b in range(a + 1, len(moving)):
            sure = {verdicts[moving[a]], verdicts[moving[b]]} <= {"identified", "within_model"}
            if abs(correlation[a, b]) > TRADE_OFF and not sure:
                names = unknowns[moving[a]].name, unknowns[moving[b]].name
                found.append(TradeOff(*names, float(correlation[a, b])))
    return tuple(sorted(found, key=lambda pair: -abs(pair.correlation)))


def _scales(unknowns: Sequence[Unknown], point: Linearization, known: Uncertainty) -> list[TorqueScale]:
    found = []
    for joint in dict.fromkeys(unknown.joint for unknown in unknowns if unknown.joint):
        own = [
            i
            for i, unknown in enumerate(unknowns)
            if unknown.joint == joint and unknown.quantity in TORQUES and known.covariance[i, i] > 0.0
        ]
        gain = next((i for i in own if unknowns[i].quantity == "position_gain"), None)
        if gain is None:
            continue
        spans = np.array([unknowns[i].span for i in own])
        spread = known.covariance[np.ix_(own, own)] * np.outer(spans, spans)
        factor = math.exp(1.96 * math.sqrt(float(np.diag(spread).min())))
        ratios, place = {}, own.index(gain)
        for row, i in enumerate(own):
            if i != gain:
                variance = spread[row, row] + spread[place, place] - 2.0 * spread[row, place]
                ratio = float(unknowns[i].value(point.places[i]) / unknowns[gain].value(point.places[gain]))
                reach = math.exp(1.96 * math.sqrt(max(float(variance), 0.0)))
                ratios[f"{unknowns[i].quantity}/position_gain"] = (ratio, ratio / reach, ratio * reach)
        found.append(TorqueScale(joint, factor, ratios))
    return found
