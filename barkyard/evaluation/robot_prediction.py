"""What simulated and real trials together say of the robot: real success rates, and who is better. With its page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, StrictUndefined

from barkyard.episode import CALIBRATION_SAMPLE
from barkyard.errors import InvalidInput
from barkyard.evaluation.atomic import write_atomically
from barkyard.evaluation.prediction_powered import REAL_ONLY, RealRate, pair_trials, real_rate
from barkyard.evaluation.result import EvalResult
from barkyard.evaluation.robot_ranking import (
    RobotEvidence,
    RobotRanking,
    duel_words,
    evidence_words,
    rank_on_robot,
)
from barkyard.evaluation.trials import TrialSet, check_fair, short_task, trials_of_results
from barkyard.provenance import versions

SCHEMA: Final = "barkyard/robot-prediction-v1"
"""The metric of an episode that holds which sample of the calibration's posterior its robot was."""


@dataclass(frozen=True)
class RobotPrediction:
    """What is known of the policies on the robot.

    Attributes:
        task: its name.
        rates: real success rate of every policy with real trials, by name.
        ranking: who is better, or None for one policy.
        notes: what a reader has to know.
        real_source: `real` or `surrogate`.
        files: names and fingerprints of what it was made from.
        command: that made it, or "".
    """

    task: str
    rates: Mapping[str, RealRate]
    ranking: RobotRanking | None
    notes: tuple[str, ...]
    real_source: str
    files: tuple[tuple[str, str], ...]
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """The file's content."""
        content = {"schema": SCHEMA, **asdict(self), "versions": versions()}
        whole: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
        return whole

    @property
    def words(self) -> list[str]:
        """A sentence or two for every policy and every pair."""
        on = "robot" if self.real_source == "real" else self.real_source
        told = [rate_words(name, rate) for name, rate in self.rates.items()]
        return told + [duel_words(duel, on) for duel in (self.ranking.duels if self.ranking else ())]

    def save(self, folder: Path) -> None:
        """Write `prediction.json` and `prediction.html`. Raises ResultError when they cannot be written."""
        content = json.dumps(self.to_json(), indent=1) + "\n"
        write_atomically(folder / "prediction.json", content.encode())
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        source = resources.files(__package__).joinpath("robot_prediction.html.jinja").read_text(encoding="utf-8")
        page = environment.from_string(source).render(prediction=self, duel_words=duel_words, rate_words=rate_words)
        write_atomically(folder / "prediction.html", page.encode("utf-8", errors="replace"))


def predict_robot(sim: Sequence[tuple[str, EvalResult]], real: TrialSet | None, command: str = "") -> RobotPrediction:
    """Join simulated evaluations and real trials of one task.

    Args:
        sim: name and simulated evaluation of each policy, on one task.
        real: real or surrogate trials, each named after the seed of its condition; None where there are none yet.
        command: that asked for it.

    Raises:
        InvalidInput: the evaluations are of several tasks or no fair sample, a policy stands twice, real trials were
            used to calibrate, or conditions may have been picked by hand.
    """
    tasks = sorted({short_task(result.env_id) for _, result in sim})
    names = [name for name, _ in sim]
    if len(tasks) != 1 or len(set(names)) < len(names):
        raise InvalidInput(
            f"results are of policies {', '.join(names) or 'none'} on {', '.join(tasks) or 'none'}; give one result a "
            "policy, all of one task; NAME=FILE names a policy"
        )
    simulated = trials_of_results(sim)
    notes = [] if real is None else check_fair(real=real, sim=simulated)
    tried = [] if real is None else [name for name in names if real.count(name, tasks[0])[1]]
    if real is not None and not tried:
        raise InvalidInput(
            f"no policy of {', '.join(names)} has real trials on {tasks[0]}; the real side has "
            f"{', '.join(real.policies)} on {', '.join(real.tasks)}. NAME=FILE names a policy"
        )
    rates = {name: real_rate(pair_trials(real, simulated, name, tasks[0])) for name in tried if real is not None}
    ranking = None
    if len(sim) > 1:
        evidence = gather_evidence(sim, real)
        ranking = rank_on_robot(evidence)
        notes += evidence_words(ranking, evidence.real[:, 1].tolist())
    return RobotPrediction(
        task=tasks[0],
        rates=rates,
        ranking=ranking,
        notes=tuple(notes),
        real_source="real" if real is None else real.source,
        files=(*simulated.files, *(() if real is None else real.files)),
        command=command,
    )


def gather_evidence(sim: Sequence[tuple[str, EvalResult]], real: TrialSet | None) -> RobotEvidence:
    """Outcomes on common seeds, the robot of each seed, and real counts.

    Raises:
        InvalidInput: the policies have fewer than 2 seeds in common, or acted in different environments.
    """
    first = sim[0][1]
    if any(result.fingerprints.get("env") != first.fingerprints.get("env") for _, result in sim):
        raise InvalidInput("the policies acted in different environments; evaluate them in one")
    by_seed = [{record.seed: record for record in result.episodes} for _, result in sim]
    seeds = sorted(set.intersection(*(set(records) for records in by_seed)))
    outcomes = np.array([[records[seed].success for records in by_seed] for seed in seeds], dtype=np.bool_)
    samples = np.array([int(by_seed[0][seed].metrics.get(CALIBRATION_SAMPLE, 0)) for seed in seeds], dtype=np.int64)
    names = tuple(name for name, _ in sim)
    counts = [(0, 0) if real is None else real.count(name, short_task(first.env_id)) for name in names]
    return RobotEvidence(
        policies=names,
        simulated=outcomes.reshape(len(seeds), len(names)),
        samples=samples,
        real=np.array(counts, dtype=np.float64),
        parameters=_parameters(first, samples),
    )


def _parameters(result: EvalResult, samples: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
    """Value of each calibrated parameter for each seed's robot."""
    from barkyard.assets.calibration import Calibration

    content = result.env_kwargs.get("calibration")
    if content is None or not any(CALIBRATION_SAMPLE in record.metrics for record in result.episodes):
        return {}
    calibration = Calibration.from_json(content)
    values = calibration.applied_samples()[samples]
    return {
        f"{quantity.replace('_', ' ')} of {element}": values[:, i]
        for i, (element, quantity) in enumerate(calibration.names)
    }


def rate_words(name: str, rate: RealRate) -> str:
    """One sentence: how often the policy succeeds in reality, and whether the simulation helped to know it."""
    low, high = (100 * bound for bound in rate.interval)
    first = f"{name} succeeds in {100 * rate.rate:.1f} % [{low:.1f}, {high:.1f}] of real trials"
    if rate.method == REAL_ONLY:
        return f"{first}: {rate.trials} real trials alone, the simulation does not help."
    return (
        f"{first}: {rate.trials} real trials and the simulation, which saves {rate.saved} more real trials (real "
        f"trials alone say {100 * rate.real_only.low:.1f} to {100 * rate.real_only.high:.1f} %)."
    )
