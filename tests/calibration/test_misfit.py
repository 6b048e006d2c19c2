"""A model that lacks something is told from a noisy recording, and nothing is called identified but within it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from barkyard.assets.parameters import FRICTION_LAW
from barkyard.calibration import uncertainty
from barkyard.calibration.fit import descend
from barkyard.calibration.identifiability import judge
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.misfit import find_misfit
from barkyard.calibration.plant import Plant
from barkyard.calibration.problem import Linearization, Problem
from barkyard.calibration.unknowns import targets
from tests.calibration.coverage import ar1
from tests.calibration.synthetic import TRUTH, arm, places, record, record_gripping, unknowns

QUANTITIES = ("position_gain", "damping", "armature", "frictionloss")


def solved(
    logs: Sequence[RobotLog], start: Mapping[str, Sequence[float]] = TRUTH, quantities: Sequence[str] = QUANTITIES
) -> Linearization:
    model = arm()
    sought = unknowns(model, quantities)
    plant = Plant(model, targets(sought), [unknown.high for unknown in sought])
    problem = Problem(plant, sought, tuple(logs), 0.02)
    best, _ = descend(problem, places(sought, start), 8, 1e-4, lambda *_: None)
    return problem.linearize(best)


def test_friction_of_another_shape_is_a_misfit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the verdict, 7 of 8 numbers would be called identified, 4 of them far from the truth."""
    logs = [record_gripping(arm(), seed) for seed in (1, 2)]
    sought = unknowns(arm(), QUANTITIES)
    point = solved(logs)
    known = uncertainty.estimate_uncertainty(point, logs)
    verdicts = judge(sought, point, known).verdicts
    assert set(known.misfit.found) == {"shoulder", "elbow"}
    assert "identified" not in verdicts and "within_model" in verdicts
    monkeypatch.setattr(uncertainty, "find_misfit", lambda *_: replace(known.misfit, explained=np.zeros(2)))
    blind = uncertainty.estimate_uncertainty(point, logs)
    assert ((known.high - known.low) > 1.5 * (blind.high - blind.low)).all()
    truth = places(sought, {name: TRUTH[name] for name in QUANTITIES})
    held, held_blind = (int(((each.low <= truth) & (truth <= each.high)).sum()) for each in (known, blind))
    assert held > held_blind, "wider intervals hold more of the truth"
    assert "identified" in judge(sought, point, blind).verdicts


def test_with_the_friction_that_was_lacking_there_is_no_misfit_and_the_truth_is_found() -> None:
    truth = {**TRUTH, "stiction": (2.0, 2.0), "stribeck": (0.2, 0.2), "load_friction": (0.2, 0.2)}
    begin = {**truth, "stiction": (1.0, 1.0), "stribeck": (0.3, 0.3), "load_friction": (0.1, 0.1)}
    quantities = (*QUANTITIES, *FRICTION_LAW)
    logs = [record_gripping(arm(), seed) for seed in (1, 2)]
    point = solved(logs, begin, quantities)
    assert np.sqrt(np.mean(point.residuals**2)) < 4e-4, "noise of 0.2 mrad, and the integrator's step"
    assert uncertainty.estimate_uncertainty(point, logs).misfit.found == ()
    for unknown, place, true in zip(
        sought := unknowns(arm(), quantities), point.places, places(sought, truth), strict=True
    ):
        found, expected = (float(unknown.value(np.array(each))) for each in (place, true))
        assert found == pytest.approx(expected, rel=0.15), unknown.name


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
def test_noise_is_none(memory: float) -> None:
    sought = unknowns(arm(), QUANTITIES)
    truth = {name: TRUTH[name] for name in QUANTITIES}
    logs = [record(arm(), sought, truth, seed, noise=0.003, memory=memory) for seed in (1, 2)]
    assert uncertainty.estimate_uncertainty(solved(logs), logs).misfit.found == ()


def test_the_part_that_follows_the_motion_is_measured() -> None:
    """Deviations of one part friction and one part noise, of equal power."""
    rng = np.random.default_rng(0)
    time = 0.02 * np.arange(4000)
    motion = np.stack([np.sin(0.9 * time) + 0.3 * np.sin(3.1 * time), np.sin(1.3 * time)], axis=1)
    noise = 1e-3 * np.stack([ar1(rng, len(time), 0.9) for _ in range(2)], axis=1)
    friction = 1e-3 * np.sign(np.gradient(motion[:, :1], axis=0)) * np.array([1.0, 0.0])
    log = RobotLog("run", ("a", "b"), time, motion, time, motion + noise + friction)
    left = motion - log.position
    point = Linearization(np.zeros(1), left.ravel(), np.ones(left.size), np.zeros((left.size, 1)))
    misfit = find_misfit(point, [log], 2.0)
    assert misfit.explained[0] == pytest.approx(0.5, abs=0.1) and misfit.explained[1] < 0.05
    assert misfit.found == ("a",) and misfit.power == pytest.approx(float(np.sum(left**2)))
    alone = find_misfit(replace(point, residuals=(left * [0.0, 1.0]).ravel()), [log], 2.0)
    assert alone.found == () and alone.power == 0.0
