"""Intervals that hold when deviations are correlated, and verdicts on what recordings leave open."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.calibration.fit import descend
from barkyard.calibration.identifiability import Identifiability, judge
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import Plant, PlantModel
from barkyard.calibration.problem import Linearization, Problem
from barkyard.calibration.uncertainty import Uncertainty, correlation_time, estimate_uncertainty, white_intervals
from barkyard.calibration.unknowns import Unknown, targets
from tests.calibration.coverage import linear_coverage
from tests.calibration.synthetic import LEVEL, TRUTH, arm, places, record, unknowns

Array = NDArray[np.float64]


def test_correlation_time_of_an_ar1_series() -> None:
    """(1 + rho) / (1 - rho) samples."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(100_000)
    series = np.zeros_like(noise)
    for row in range(1, len(noise)):
        series[row] = 0.9 * series[row - 1] + noise[row]
    assert correlation_time(series) == pytest.approx(19.0, rel=0.2)
    assert correlation_time(noise) == pytest.approx(1.0, rel=0.1)
    assert correlation_time(np.zeros(50)) == 1.0


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
def test_intervals_hold_on_a_linear_model(memory: float) -> None:
    """400 logs of 40 s at 50 Hz with two unknowns; white intervals fall short where deviations are correlated."""
    blocks, white = linear_coverage(400, memory, seed=1)
    assert 0.91 <= blocks <= 0.98
    assert white < 0.5 if memory == 0.98 else white < 0.97


def solved(
    model: PlantModel, quantities: Sequence[str], truth: Mapping[str, Sequence[float]], logs: Sequence[RobotLog]
) -> tuple[tuple[Unknown, ...], Linearization, Uncertainty, Identifiability]:
    sought = unknowns(model, quantities)
    plant = Plant(model, targets(sought), [unknown.high for unknown in sought])
    point = Problem(plant, sought, tuple(logs), 0.02).linearize(places(sought, truth))
    known = estimate_uncertainty(point, logs)
    return sought, point, known, judge(sought, point, known)


def recordings(model: PlantModel, truth: Mapping[str, Sequence[float]], noise: float = 0.002) -> list[RobotLog]:
    sought = unknowns(model, tuple(truth))
    return [record(model, sought, truth, seed, seconds=8.0, noise=noise, memory=0.9) for seed in (1, 2)]


def test_a_well_excited_arm_is_identified() -> None:
    logs = recordings(arm(), TRUTH)
    _, _, known, verdict = solved(arm(), tuple(TRUTH), TRUTH, logs)
    assert set(verdict.verdicts) == {"identified"}
    assert verdict.trade_offs == () and known.disagreeing == ()
    assert all(scale.determined for scale in verdict.scales)
    assert (np.diff(verdict.singular_values) <= 0).all() and verdict.condition < 1e3


def test_velocity_gain_and_damping_cannot_be_told_apart() -> None:
    truth = {**TRUTH, "velocity_gain": (0.2, 0.2)}
    logs = recordings(arm(), truth)
    sought, _, known, verdict = solved(arm(), tuple(truth), truth, logs)
    pairs = {frozenset((pair.first, pair.second)) for pair in verdict.trade_offs}
    for joint in ("shoulder", "elbow"):
        assert frozenset((f"{joint}.velocity_gain", f"{joint}.damping")) in pairs
    by_name = {unknown.name: verdict.verdicts[i] for i, unknown in enumerate(sought)}
    assert by_name["shoulder.velocity_gain"] != "identified" and by_name["elbow.position_gain"] == "identified"
    gain = [unknown.quantity for unknown in sought].index("velocity_gain")
    assert known.high[gain] - known.low[gain] > 0.3, "the range, not infinity"


def test_draws_stay_where_the_data_allow() -> None:
    """Along a direction that the data leave open, draws do not move, so each of them tracks as the estimate does."""
    truth = {**TRUTH, "velocity_gain": (0.2, 0.2)}
    logs = recordings(arm(), truth)
    sought, point, known, _ = solved(arm(), tuple(truth), truth, logs)
    plant = Plant(arm(), targets(sought), [unknown.high for unknown in sought])
    costs = Problem(plant, sought, tuple(logs), 0.02).cost(known.samples[:20])
    assert costs.max() < 1.2 * float(Problem(plant, sought, tuple(logs), 0.02).cost(point.places[None])[0])


def test_what_does_not_move_is_not_excited() -> None:
    level = arm(LEVEL)
    sought = unknowns(level)
    logs = [record(level, sought, TRUTH, seed, noise=0.002, memory=0.9, moving=1) for seed in (1, 2)]
    _, _, _, verdict = solved(level, tuple(TRUTH), TRUTH, logs)
    by_name = {unknown.name: verdict.verdicts[i] for i, unknown in enumerate(sought)}
    assert by_name["shoulder.delay"] == "identified"
    assert by_name["elbow.delay"] == "not_excited"


def test_without_weight_only_ratios_are_determined() -> None:
    """Links as light as these beside the servo's own inertia do not tell the unit of torque."""
    light = LEVEL
    for mass in ("0.3", "0.2"):
        light = light.replace(f'mass="{mass}" diaginertia="1e-3 1e-3 1e-3"', 'mass="1e-4" diaginertia="1e-8 1e-8 1e-8"')
    feather = arm(light)
    _, _, _, verdict = solved(feather, tuple(TRUTH), TRUTH, recordings(feather, TRUTH))
    for scale in verdict.scales:
        assert not scale.determined
        low, high = scale.ratios["damping/position_gain"][1:]
        assert low < 0.05 < high and high / low < 1.2


def test_an_unknown_on_its_wall_is_called_so() -> None:
    truth = {**TRUTH, "delay": (0.005, 0.018)}
    sought, _, _, verdict = solved(arm(), tuple(truth), truth, recordings(arm(), truth))
    by_name = {unknown.name: verdict.verdicts[i] for i, unknown in enumerate(sought)}
    assert by_name["shoulder.delay"] == "on_bound" and by_name["elbow.delay"] == "identified"


def test_recordings_that_disagree_are_called_out_and_widen_the_intervals() -> None:
    model = arm()
    sought = unknowns(model)
    other = {**TRUTH, "damping": (1.3, 0.9)}
    truths = (TRUTH, TRUTH, other)
    logs = [record(model, sought, truth, seed, noise=0.002, memory=0.9) for seed, truth in enumerate(truths)]
    plant = Plant(model, targets(sought), [unknown.high for unknown in sought])
    problem = Problem(plant, sought, tuple(logs), 0.02)
    best, _ = descend(problem, places(sought, TRUTH), 8, 1e-4, lambda words, cost: None)
    known = estimate_uncertainty(problem.linearize(best), logs)
    named = {sought[i].name for i in known.disagreeing}
    assert "shoulder.damping" in named
    damping = [unknown.name for unknown in sought].index("shoulder.damping")
    true, wrong = (places(sought, truth)[damping] for truth in (TRUTH, other))
    assert known.low[damping] < true < known.high[damping]
    assert known.by_recording[2, damping] > known.by_recording[0, damping] + 0.3 * (wrong - true)


def test_white_intervals_are_those_of_mujocos_toolbox() -> None:
    sysid: Any = importlib.import_module("mujoco.sysid")
    if not hasattr(sysid, "calculate_intervals"):
        pytest.skip("mujoco.sysid is empty without the extra mujoco[sysid]")
    rng = np.random.default_rng(1)
    jacobian, residuals = rng.standard_normal((50, 2)), rng.standard_normal(50)
    low, high = white_intervals(Linearization(np.array([0.4, 0.6]), residuals, np.ones(50), jacobian))
    _, reach = sysid.calculate_intervals([residuals], jacobian)
    assert np.allclose((high - low) / 2, reach)


def test_white_intervals_are_least_squares() -> None:
    """Against the textbook: s^2 (J'J)^-1 with Student's t."""
    rng = np.random.default_rng(0)
    jacobian, residuals = rng.standard_normal((50, 2)), rng.standard_normal(50)
    point = Linearization(np.array([0.4, 0.6]), residuals, np.ones(50), jacobian)
    low, high = white_intervals(point)
    sd = np.sqrt(residuals @ residuals / 48 * np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    assert np.allclose((high - low) / 2, 2.0106 * sd, rtol=1e-4)
