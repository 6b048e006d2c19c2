"""From recordings to a calibration: search, verdict, and the error on recordings that were kept out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration, HeldOut, Parameter, SourceLog
from barkyard.calibration import sufficiency
from barkyard.calibration.fit import FitConfig, fit, rmse_by_joint
from barkyard.calibration.identifiability import Identifiability, judge
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import Plant, PlantModel
from barkyard.calibration.problem import Linearization, Problem, Simulator
from barkyard.calibration.slips import find_slips
from barkyard.calibration.uncertainty import Uncertainty, estimate_uncertainty
from barkyard.calibration.unknowns import Unknown, spread, targets
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

CARRIES_OVER: Final = 1.5
"""Held-out error over that of the fitted recordings from which the fit does not carry over. A choice."""


@dataclass(frozen=True)
class TrackingError:
    """Root mean square deviations `(J,)` [rad] from what was measured on one recording.

    Attributes:
        log: its name.
        fitted, shipped: of the simulation with the identified parameters, and with the model's own.
        command: of the command itself.
    """

    log: str
    fitted: Array
    shipped: Array
    command: Array


@dataclass(frozen=True)
class CalibrateConfig:
    """How to calibrate.

    Attributes:
        fit: the search.
        timestep: of the physics [s]; the model's own where None.
        threads: of the simulation; 0 for one a processor.
        samples: posterior draws to keep.
    """

    fit: FitConfig = field(default_factory=FitConfig)
    timestep: float | None = None
    threads: int = 0
    samples: int = 200


@dataclass(frozen=True)
class Outcome:
    """What a calibration found.

    Attributes:
        model: the robot.
        problem: what was solved; its logs are the training recordings.
        held_out_logs: recordings that the fit has not seen.
        point: the problem at its solution.
        uncertainty, identifiability: what is known, and the verdict.
        training, held_out: errors on either kind of recording.
        remarks: what to know before trusting the result.
        seconds: wall time of the search and the verdict [s].
    """

    model: PlantModel
    problem: Problem
    held_out_logs: tuple[RobotLog, ...]
    point: Linearization
    uncertainty: Uncertainty
    identifiability: Identifiability
    training: tuple[TrackingError, ...]
    held_out: tuple[TrackingError, ...]
    remarks: tuple[str, ...]
    seconds: float

    @property
    def joints(self) -> tuple[str, ...]:
        """In the order of the errors."""
        return self.problem.logs[0].joints

    def calibration(self) -> Calibration:
        """The artefact that environments take."""
        unknowns, known = self.problem.unknowns, self.uncertainty
        values, low, high = (_values(unknowns, places) for places in (self.point.places, known.low, known.high))
        parameters = tuple(
            Parameter(
                element=target[0],
                quantity=target[1],
                value=float(values[i]),
                interval=(float(low[i]), float(high[i])),
                verdict=self.identifiability.verdicts[i],
            )
            for i, unknown in enumerate(unknowns)
            for target in unknown.targets
        )
        samples = spread(unknowns, known.samples)
        return Calibration(
            robot=self.model.name,
            model=self.model.fingerprint,
            parameters=parameters,
            source="surrogate" if any(log.source == "surrogate" for log in self.problem.logs) else "real",
            logs=tuple(SourceLog(log.name, log.sha256) for log in self.problem.logs),
            held_out=self._held_out(),
            samples=tuple(tuple(float(value) for value in row) for row in samples),
        )

    def _held_out(self) -> HeldOut | None:
        if not self.held_out:
            return None
        joints = together([error.fitted for error in self.held_out])
        return HeldOut(
            overall=float(np.sqrt(np.mean(joints**2))),
            joints=tuple(zip(self.joints, map(float, joints), strict=True)),
            recordings=tuple(error.log for error in self.held_out),
        )


def together(errors: Sequence[Array]) -> Array:
    """Root mean square over recordings, each counting alike."""
    result: Array = np.sqrt(np.mean(np.square(errors), axis=0))
    return result


def calibrate(
    model: PlantModel,
    logs: Sequence[RobotLog],
    held_out: Sequence[RobotLog],
    unknowns: Sequence[Unknown],
    config: CalibrateConfig,
    report: Callable[[str, float], None] = lambda words, cost: None,
    view: Callable[[Plant], Simulator] | None = None,
) -> Outcome:
    """Identify the unknowns from `logs` and test them on `held_out`.

    Args:
        model: the robot.
        logs: training recordings, under the model's names for its joints, in one order.
        held_out: recordings to test on.
        unknowns: what to identify.
        config: how.
        report: told what is being done, and the cost.
        view: shows what of the plant was recorded, such as its tool; its joints where None.

    Raises:
        InvalidInput: a recording is in both lists, or recordings have different joints.
        BarkyardError: no simulation runs.
    """
    _check_logs(logs, held_out)
    names = targets(unknowns)
    largest = [unknown.high for unknown in unknowns for _ in unknown.targets]
    plant = Plant(model, names, largest, config.timestep, config.threads)
    problem = Problem(view(plant) if view else plant, tuple(unknowns), tuple(logs), config.fit.loss_scale)
    remarks = [words for log in (*logs, *held_out) for words in log.remarks()]
    remarks += sufficiency.warnings(unknowns, logs, model)
    began = time.monotonic()
    point = fit(problem, config.fit, report)
    uncertainty = estimate_uncertainty(point, logs, samples=config.samples, seed=config.fit.seed)
    identifiability = judge(unknowns, point, uncertainty)
    seconds = time.monotonic() - began
    unchanged = Plant(model, (), (), plant.timestep)
    shipped = view(unchanged) if view else unchanged
    training, unseen = (tracking_errors(problem, point.places, shipped, part) for part in (logs, held_out))
    remarks = [*_misfit_remarks(uncertainty, training, unseen), *remarks]
    remarks += _remarks(unknowns, logs, uncertainty, identifiability)
    remarks += _slip_remarks(problem, point, held_out)
    return Outcome(
        model,
        problem,
        tuple(held_out),
        point,
        uncertainty,
        identifiability,
        training,
        unseen,
        tuple(remarks),
        seconds,
    )


def tracking_errors(
    problem: Problem, places: Array, shipped: Simulator, logs: Sequence[RobotLog]
) -> tuple[TrackingError, ...]:
    """Errors of the fitted simulation, of the model as shipped, and of the command, on each recording."""
    if not logs:
        return ()
    fitted = rmse_by_joint(problem, places, logs)
    found = []
    for log, error in zip(logs, fitted, strict=True):
        held = np.clip(np.searchsorted(log.command_time, log.time, side="right") - 1, 0, None)
        unchanged = shipped.simulate(np.zeros((1, 0)), log)[0]
        found.append(
            TrackingError(log.name, error, _rms(unchanged - log.position), _rms(log.command[held] - log.position))
        )
    return tuple(found)


def split(logs: Sequence[RobotLog], part: float) -> tuple[tuple[RobotLog, ...], tuple[RobotLog, ...]]:
    """The first `part` of every recording, and the rest: for a robot of which there is only one recording.

    Raises:
        InvalidInput: the part is not between 0 and 1.
    """
    if not 0.0 < part < 1.0:
        raise InvalidInput(f"split is {part}; give the part to fit, between 0 and 1")
    first = tuple(log.between(0.0, part * log.duration) for log in logs)
    rest = tuple(log.between(part * log.duration, np.inf) for log in logs)
    return first, rest


def _rms(deviations: Array) -> Array:
    result: Array = np.sqrt(np.mean(deviations**2, axis=0))
    return result


def _values(unknowns: Sequence[Unknown], places: Array) -> Array:
    return np.array([float(unknown.value(places[i])) for i, unknown in enumerate(unknowns)])


def _check_logs(logs: Sequence[RobotLog], held_out: Sequence[RobotLog]) -> None:
    if not logs:
        raise InvalidInput("there is no recording to fit; give at least one")
    for log in (*logs, *held_out):
        if log.joints != logs[0].joints:
            raise InvalidInput(
                f"{log.name} has the joints {', '.join(log.joints)}, and {logs[0].name} {', '.join(logs[0].joints)}"
            )
    names = [log.name for log in (*logs, *held_out)]
    hashes = {log.sha256: log.name for log in logs if log.sha256 and "[" not in log.name}
    for log in held_out:
        if log.sha256 in hashes:
            raise InvalidInput(f"{log.name} is held out and fitted ({hashes[log.sha256]}); give it once")
    if len(set(names)) < len(names):
        raise InvalidInput(f"recordings are called {', '.join(sorted(names))}; each name may be there once")


def _misfit_remarks(
    known: Uncertainty, training: Sequence[TrackingError], held_out: Sequence[TrackingError]
) -> list[str]:
    """What says that the model is wrong, and not the numbers in it."""
    found = []
    if known.misfit.found:
        parts = dict(zip(known.misfit.joints, known.misfit.explained, strict=True))
        joints = ", ".join(f"{joint} {100.0 * parts[joint]:.0f} %" for joint in known.misfit.found)
        found.append(
            f"misfit: what is left follows the motion ({joints} of its power), so the model lacks something; no "
            "number is identified but within this model, and intervals allow for as much again in the numbers"
        )
    if held_out:
        seen, unseen = (float(np.mean(np.square([e.fitted for e in errors]))) ** 0.5 for errors in (training, held_out))
        if unseen > CARRIES_OVER * seen:
            found.append(
                f"misfit: held-out error is {unseen / seen:.1f} times that of the fitted recordings; the fit does not "
                "carry over to such motions"
            )
    return found


def _slip_remarks(problem: Problem, point: Linearization, held_out: Sequence[RobotLog]) -> list[str]:
    values = spread(problem.unknowns, point.places[None])
    return [
        f"{log.name}: from {slip.start:.0f} to {slip.stop:.0f} s all joints are {1e3 * slip.late:.0f} ms late at once, "
        "which no servo is: stamps or commands slipped. Leave that out (--stretch)"
        for log in (*problem.logs, *held_out)
        for slip in find_slips(log, problem.plant.simulate(values, log)[0])
    ]


def _remarks(
    unknowns: Sequence[Unknown], logs: Sequence[RobotLog], known: Uncertainty, verdict: Identifiability
) -> list[str]:
    found = []
    for i in known.disagreeing:
        unknown = unknowns[i]
        values = ", ".join(
            f"{log.name} {float(unknown.value(known.by_recording[row, i])):.3g}" for row, log in enumerate(logs)
        )
        found.append(f"recordings disagree on {unknown.name}: {values}")
    if known.disagreeing and len(logs) > 2:
        found.append(f"so all intervals count {len(logs)} recordings instead of {known.blocks} blocks")
    ratios = [scale.joint for scale in verdict.scales if not scale.determined]
    if ratios:
        found.append(f"no torque scale: only ratios of torques are determined at {', '.join(ratios)}")
    if verdict.scales:
        found.append("the unit of torque rests on the model's masses; no torque and no known load was recorded")
    return found
