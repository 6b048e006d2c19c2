"""Which limb sees and commands what, from names alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from barkyard.errors import InvalidInput
from barkyard.policies.policy import FeatureSpec


@dataclass(frozen=True)
class Layout:
    """How a flat observation is dealt out to limbs, and the action collected from them.

    Attributes:
        inputs: for each limb, the elements of the flat observation that are its own.
        outputs: for each element of the action, its limb.
        input_map: for each limb, the number of its map into a token; with one map for all limbs that observe the same
            parts where maps are shared.
        output_map: for each element of the action, the number of its map out of a token.
    """

    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]
    input_map: tuple[int, ...]
    output_map: tuple[int, ...]


def lay_out(features: FeatureSpec, steps: int = 1, shared: bool = False) -> Layout:
    """Deal out what is observed: joints' parts to their limbs, everything else to the root.

    Args:
        features: with an embodiment. Its parts, one after another, make up one step of the flat observation.
        steps: of the flat observation, oldest first.
        shared: whether limbs that observe the same parts share maps.

    Raises:
        InvalidInput: there is no embodiment, a part is no vector, or has another length than the body.
    """
    body = features.embodiment
    if body is None:
        raise InvalidInput(
            f"a Body Transformer needs the embodiment of what it acts with, and the features of {features.env_id} have "
            "none: train with `barkyard train`, which reads it from the environment, or give `embodiment`"
        )
    not_vectors = [key for key, shape in features.observations.items() if len(shape) != 1]
    if not_vectors or not features.observations:
        raise InvalidInput(f"a Body Transformer reads vectors; given: {', '.join(not_vectors) or 'nothing'}")
    names = [key for key, shape in features.observations.items() for _ in range(shape[0])]
    limbs = [limb for key, shape in features.observations.items() for limb in body.limbs_of(key, shape[0])]
    elements = [[i for i, owner in enumerate(limbs) if owner == limb] for limb in range(len(body.limbs))]
    inputs = tuple(tuple(step * len(names) + i for step in range(steps) for i in own) for own in elements)
    outputs = body.limbs_of("action", features.action_dim)
    if not shared:
        return Layout(inputs, outputs, tuple(range(len(inputs))), tuple(range(len(outputs))))
    kinds = [tuple(names[i] for i in own) for own in elements]
    places = [(kinds[limb], outputs[:i].count(limb)) for i, limb in enumerate(outputs)]
    return Layout(inputs, outputs, _numbered(kinds), _numbered(places))


def _numbered(values: Sequence[object]) -> tuple[int, ...]:
    """Equal values get equal numbers, in order of appearance."""
    distinct = list(dict.fromkeys(values))
    return tuple(distinct.index(value) for value in values)
