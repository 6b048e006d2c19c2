"""Published real and simulated success rates, to be judged by the same measures as one's own."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from barkyard.evaluation.agreement import Counts
from barkyard.evaluation.correlation_report import CorrelationReport
from barkyard.evaluation.task_agreement import measure_agreement

SIMPLER: Final = "arXiv:2405.05941 (SIMPLER), Table IV for the Google robot, Table V for WidowX"
SIMPLER_NOTES: Final = (
    f"rates from {SIMPLER}; numbers of trials from its text; successes are rates times trials",
    "drawers: the real trials of rt-1-begin were stopped after 2 for safety and published as 0; they count as 0 of 2",
    "eggplant: the real rates are those of the authors' repository, with which the published r was computed, and which "
    "are multiples of 1/20; they count as 20 trials, the text says 24",
    "simulated octo policies on the Google robot count with the trials of the others, as the paper describes it",
)


@dataclass(frozen=True)
class PublishedTable:
    """One column of a published table.

    Attributes:
        task: its name, with the setting of the simulation.
        policies: N names.
        real: real success rates `(N,)`.
        sim: simulated success rates `(N,)`.
        real_trials: per policy `(N,)`.
        sim_trials: per policy `(N,)`.
        mmrv: as published.
        pearson: as published.
    """

    task: str
    policies: tuple[str, ...]
    real: tuple[float, ...]
    sim: tuple[float, ...]
    real_trials: tuple[int, ...]
    sim_trials: tuple[int, ...]
    mmrv: float
    pearson: float

    @property
    def counts(self) -> Counts:
        """Trials `(N, 2)`, and rates times trials as successes, not rounded."""
        trials = np.array([self.real_trials, self.sim_trials], dtype=np.float64).T
        return Counts(np.array([self.real, self.sim]).T * trials, trials)


_GOOGLE_POLICIES = ("rt-1-converged", "rt-1-15pct", "rt-1-x", "rt-2-x", "octo-base", "rt-1-begin")
_WIDOWX_POLICIES = ("rt-1-x", "octo-base", "octo-small")
_SETTINGS = ("visual matching", "variant aggregation")

# task: real rates, real trials, then for each setting simulated rates, trials, MMRV, r
_GOOGLE = {
    "coke can, horizontal": (
        (0.960, 1.000, 0.880, 0.920, 0.440, 0.200), 25,
        ((0.960, 0.860, 0.820, 0.740, 0.210, 0.050), 100, 0.027, 0.981),
        ((0.969, 0.920, 0.569, 0.822, 0.005, 0.022), 225, 0.093, 0.947),
    ),
    "coke can, vertical": (
        (0.880, 0.960, 0.560, 0.800, 0.200, 0.000), 25,
        ((0.900, 0.790, 0.330, 0.740, 0.210, 0.000), 100, 0.027, 0.964),
        ((0.760, 0.704, 0.204, 0.754, 0.000, 0.013), 225, 0.133, 0.937),
    ),
    "coke can, standing": (
        (0.720, 0.800, 0.840, 1.000, 0.240, 0.200), 25,
        ((0.710, 0.480, 0.550, 0.880, 0.090, 0.030), 100, 0.053, 0.942),
        ((0.964, 0.813, 0.698, 0.893, 0.013, 0.031), 225, 0.140, 0.933),
    ),
    "coke can, mean": (
        (0.853, 0.920, 0.760, 0.907, 0.293, 0.133), 75,
        ((0.857, 0.710, 0.567, 0.787, 0.170, 0.027), 300, 0.031, 0.976),
        ((0.898, 0.813, 0.490, 0.823, 0.006, 0.022), 675, 0.084, 0.960),
    ),
    "move near": (
        (0.633, 0.583, 0.450, 0.733, 0.350, 0.017), 60,
        ((0.442, 0.354, 0.317, 0.779, 0.042, 0.050), 240, 0.111, 0.855),
        ((0.500, 0.446, 0.323, 0.792, 0.031, 0.040), 480, 0.111, 0.887),
    ),
    "open drawer": (
        (0.815, 0.704, 0.519, 0.333, 0.148, 0.000), 27,
        ((0.601, 0.463, 0.296, 0.157, 0.009, 0.000), 108, 0.000, 0.983),
        ((0.270, 0.212, 0.069, 0.333, 0.000, 0.005), 189, 0.303, 0.629),
    ),
    "close drawer": (
        (0.926, 0.889, 0.741, 0.630, 0.519, 0.000), 27,
        ((0.861, 0.667, 0.891, 0.343, 0.444, 0.278), 108, 0.123, 0.768),
        ((0.376, 0.323, 0.519, 0.372, 0.021, 0.132), 189, 0.321, 0.613),
    ),
    "drawer, mean": (
        (0.870, 0.796, 0.630, 0.481, 0.333, 0.000), 54,
        ((0.730, 0.565, 0.597, 0.250, 0.227, 0.139), 216, 0.055, 0.915),
        ((0.323, 0.267, 0.294, 0.353, 0.011, 0.069), 378, 0.321, 0.737),
    ),
    "apple in drawer": (
        (0.185, 0.185, 0.407, 0.074, 0.000, 0.000), 27,
        ((0.065, 0.130, 0.213, 0.037, 0.000, 0.000), 108, 0.000, 0.969),
        ((0.026, 0.021, 0.101, 0.206, 0.000, 0.000), 189, 0.148, 0.235),
    ),
}  # fmt: skip

# task: real rates, real trials, simulated rates, MMRV, r; simulated trials are 24 for rt-1-x, 72 for octo
_WIDOWX = {
    "spoon, grasped": ((0.042, 0.500, 0.542), 24, (0.167, 0.347, 0.778), 0.000, 0.778),
    "spoon on towel": ((0.000, 0.333, 0.417), 24, (0.000, 0.125, 0.472), 0.000, 0.827),
    "carrot, grasped": ((0.167, 0.500, 0.208), 24, (0.208, 0.528, 0.278), 0.000, 0.995),
    "carrot on plate": ((0.000, 0.250, 0.083), 24, (0.042, 0.083, 0.097), 0.111, 0.575),
    "cube, grasped": ((0.000, 0.292, 0.583), 24, (0.083, 0.319, 0.403), 0.000, 0.964),
    "cube stacked": ((0.000, 0.000, 0.125), 24, (0.000, 0.000, 0.042), 0.000, 1.000),
    "eggplant, grasped": ((0.000, 0.400, 0.600), 20, (0.000, 0.667, 0.875), 0.000, 0.995),
    "eggplant in basket": ((0.000, 0.250, 0.400), 20, (0.000, 0.431, 0.569), 0.000, 0.990),
}
_STOPPED_AFTER: Final = 2


def simpler_tables() -> tuple[PublishedTable, ...]:
    """All columns of SIMPLER's Table IV (both settings) and Table V."""
    return (*_google_tables(), *_widowx_tables())


def simpler_report(seed: int = 0, command: str = "") -> CorrelationReport:
    """SIMPLER's published rates, with the intervals that the authors' numbers of trials support."""
    return CorrelationReport(
        title="SIMPLER's published rates",
        tasks=tuple(measure_agreement(each.task, each.policies, each.counts, seed) for each in simpler_tables()),
        notes=SIMPLER_NOTES,
        seed=seed,
        command=command,
    )


def _google_tables() -> list[PublishedTable]:
    tables = []
    for task, (real, trials, *settings) in _GOOGLE.items():
        stopped = task in ("open drawer", "close drawer", "drawer, mean")
        real_trials = (*[trials] * 5, _STOPPED_AFTER if stopped else trials)
        for setting, (sim, sim_trials, mmrv, pearson) in zip(_SETTINGS, settings, strict=True):
            name = f"{task}, {setting}"
            tables.append(
                PublishedTable(name, _GOOGLE_POLICIES, real, sim, real_trials, (sim_trials,) * 6, mmrv, pearson)
            )
    return tables


def _widowx_tables() -> list[PublishedTable]:
    return [
        PublishedTable(f"WidowX, {task}", _WIDOWX_POLICIES, real, sim, (trials,) * 3, (24, 72, 72), mmrv, pearson)
        for task, (real, trials, sim, mmrv, pearson) in _WIDOWX.items()
    ]
