"""How often a step is learnt from, by who acted at it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput

HUMAN = "human"
"""Begins the names of persons in `acted_by`, as in `human:keyboard`."""


def step_weights(
    acted_by: NDArray[np.str_], corrected: NDArray[np.bool_], given: Mapping[str, float]
) -> NDArray[np.float64] | None:
    """Weights of steps.

    Unless weights are given, the steps at which a person took over from a policy count together as much as all others
    together, as in Intervention Weighted Regression (Mandlekar et al., 2020, arXiv:2012.06733).

    Args:
        acted_by: `(n,)` who acted.
        corrected: `(n,)` whether a policy acted there until a person did.
        given: weights by name, or by the part of it before the colon; a name that is not given weighs 1.

    Returns:
        `(n,)` weights of at least 0, or None where all are alike.

    Raises:
        InvalidInput: a weight is no number of at least 0, nobody has that name, or nothing is left to learn from.
    """
    kinds = np.char.partition(acted_by, ":")[:, 0] if len(acted_by) else acted_by
    weights = np.ones(len(acted_by))
    if not given:
        taken = corrected & (kinds == HUMAN)
        if taken.any() and not taken.all():
            weights[taken] = (~taken).sum() / taken.sum()
    for name, weight in sorted(given.items(), key=lambda item: ":" in item[0]):
        if not (isinstance(weight, int | float) and np.isfinite(weight) and weight >= 0):
            raise InvalidInput(f"the weight of {name} is {weight!r}; give a number of at least 0")
        theirs = (acted_by == name) | (kinds == name)
        if not theirs.any():
            raise InvalidInput(f"nobody called {name!r} acted here; valid: {', '.join(np.unique([*acted_by, *kinds]))}")
        weights[theirs] = weight
    if not weights.any():
        raise InvalidInput(f"with the weights {dict(given)} there is no step to learn from; give one that is above 0")
    return None if (weights == weights[0]).all() else weights
