"""Which change of conditions costs success, in reality and in simulation, side by side."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from barkyard.evaluation.exact import unpaired_interval
from barkyard.evaluation.intervals import Interval
from barkyard.evaluation.trials import Trial, TrialSet

BASE = "base"


@dataclass(frozen=True)
class Effect:
    """What one level of a factor does on one side.

    Attributes:
        base: successes and trials at the base level.
        shifted: successes and trials at this level.
        change: of the success rate, shifted minus base.
        interval: 95 %, of the change.
    """

    base: tuple[int, int]
    shifted: tuple[int, int]
    change: float
    interval: Interval

    @property
    def sign(self) -> int:
        """-1 where it is shown to hurt, 1 where it is shown to help, 0 where neither is shown."""
        return (self.interval.low > 0) - (self.interval.high < 0)


@dataclass(frozen=True)
class Shift:
    """One level of one factor on one task, against the base level; pooled over the policies tried at both.

    Attributes:
        task: its name.
        factor: what was changed.
        level: to what.
        base: from what.
        real: what it did in reality, or None where it was not tried.
        sim: what it did in simulation, or None where it was not tried.
    """

    task: str
    factor: str
    level: str
    base: str
    real: Effect | None
    sim: Effect | None

    @property
    def verdict(self) -> str:
        """Whether the simulation shows what reality shows, in words."""
        if self.real is None or self.sim is None:
            return f"tried only in {'simulation' if self.real is None else 'reality'}"
        if self.real.sign == self.sim.sign:
            return {-1: "hurts in both", 0: "not shown in either", 1: "helps in both"}[self.real.sign]
        if self.real.sign * self.sim.sign < 0:
            return "opposite signs"
        return "shown only in reality" if self.real.sign else "shown only in simulation"


def compare_shifts(*, real: TrialSet, sim: TrialSet) -> tuple[Shift, ...]:
    """Every level of every factor that both or either side tried, against its base.

    The base level is the one named "base", or else the most frequent in the real trials (in the simulated ones where
    reality never varied the factor). Only trials that are at the base in every other factor count, so that each shift
    is one change.
    """
    shifts = []
    for task in dict.fromkeys((*real.tasks, *sim.tasks)):
        sides = [[trial for trial in each.trials if trial.task == task] for each in (real, sim)]
        bases = _bases(*sides)
        for factor, base in bases.items():
            levels = dict.fromkeys(trial.factors[factor] for side in sides for trial in side if factor in trial.factors)
            for level in levels:
                if level != base:
                    effects = [_effect(side, factor, level, bases) for side in sides]
                    if any(effects):
                        shifts.append(Shift(task, factor, level, base, *effects))
    return tuple(shifts)


def _bases(real: list[Trial], sim: list[Trial]) -> dict[str, str]:
    """Base level of each factor that varies on either side."""
    bases = {}
    for factor in dict.fromkeys(name for trial in (*real, *sim) for name in trial.factors):
        levels = [Counter(t.factors[factor] for t in side if factor in t.factors) for side in (real, sim)]
        if max(map(len, levels)) > 1:
            told = levels[0] if len(levels[0]) > 1 or not levels[1] else levels[1]
            bases[factor] = BASE if BASE in {**levels[0], **levels[1]} else told.most_common(1)[0][0]
    return bases


def _effect(trials: list[Trial], factor: str, level: str, bases: Mapping[str, str]) -> Effect | None:
    others = [
        trial
        for trial in trials
        if all(trial.factors.get(name, base) == base for name, base in bases.items() if name != factor)
    ]
    groups = [[t for t in others if t.factors.get(factor) == value] for value in (bases[factor], level)]
    policies = set.intersection(*({trial.policy for trial in group} for group in groups))
    counts = []
    for group in groups:
        outcomes = [trial.success for trial in group if trial.policy in policies]
        counts.append((sum(outcomes), len(outcomes)))
    base, shifted = counts
    if not base[1] or not shifted[1]:
        return None
    change = shifted[0] / shifted[1] - base[0] / base[1]
    return Effect(base, shifted, change, unpaired_interval(*shifted, *base))
