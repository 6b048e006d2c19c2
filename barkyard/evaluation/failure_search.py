"""Finding where an actor fails: episodes are chosen because they look likely to fail.

What is found is a list of failures, each a seed that gives it again, and no rate: the results are marked, and
`compare`, `correlate` and `predict` refuse them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from barkyard.episode import Actor
from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.evaluate import EvaluationEnv, evaluate
from barkyard.evaluation.result import SEARCH, EvalResult

CANDIDATES: Final = 8
"""Start states looked at for each that is tried; a choice."""
_NEWTON_STEPS: Final = 12
_PRIOR_PRECISION: Final = 1.0


@dataclass(frozen=True)
class Variant:
    """One way the task may look or behave.

    Attributes:
        env: a vector environment with autoreset disabled.
        actor: who acts there.
        fingerprints: of what the actor was made from.
    """

    env: EvaluationEnv
    actor: Actor
    fingerprints: Mapping[str, str]


def search_failures(
    variants: Mapping[str, Variant],
    seeds: Sequence[int],
    episodes: int,
    *,
    seed: int = 0,
    command: str = "",
    on_batch: Callable[[Mapping[str, EvalResult]], None] | None = None,
) -> dict[str, EvalResult]:
    """Try the start states and variants that are likeliest to fail, as far as the episodes so far tell.

    A start state is a seed: what the actor sees first after its reset. A Bayesian logistic regression of failure on the
    first observation (each number and its square) and on the variant is drawn from its posterior for every episode,
    and the untried start that fails likeliest under the draw is next: Thompson sampling (Chapelle and Li, "An empirical
    evaluation of Thompson sampling", 2011), which tries what it is unsure of and then what fails.

    Args:
        variants: by name.
        seeds: the start states to choose from, from the evaluation range; `CANDIDATES` an episode are plenty.
        episodes: how many to run, of all variants together.
        seed: of the draws.
        command: that asked for it, for the record.
        on_batch: called after each batch with the results so far.

    Returns:
        A result for each variant that was tried, marked as a search.

    Raises:
        InvalidInput: there is no variant, or there are fewer starts than episodes.
    """
    if not variants:
        raise InvalidInput("there is no variant to search")
    if not 1 <= episodes <= len(seeds) * len(variants):
        raise InvalidInput(f"episodes is {episodes}; give 1 to {len(seeds) * len(variants)}, the starts there are")
    generator = np.random.default_rng(seed)
    design = _design([first_observations(variant.env, seeds) for variant in variants.values()])
    names = list(variants)
    untried, tried = np.ones(len(design), dtype=np.bool_), np.empty(0, dtype=np.intp)
    failed = np.empty(0)
    results: dict[str, EvalResult] = {}
    while len(tried) < episodes:
        count = min(next(iter(variants.values())).env.num_envs, episodes - len(tried))
        chosen = _choose(design, tried, failed, untried, count, generator)
        untried[chosen] = False
        for number in np.unique(chosen // len(seeds)):
            name, here = names[number], chosen[chosen // len(seeds) == number]
            variant = variants[name]
            batch = evaluate(
                variant.env,
                variant.actor,
                [seeds[i % len(seeds)] for i in here],
                fingerprints=variant.fingerprints,
                command=command,
            )
            results[name] = _joined(results.get(name), batch, episodes)
            tried = np.concatenate([tried, here])
            failed = np.concatenate([failed, [not record.success for record in batch.episodes]])
        if on_batch is not None:
            on_batch(results)
    return results


def first_observations(env: EvaluationEnv, seeds: Sequence[int]) -> Floats:
    """What is seen first after a reset with each seed, `(S, D)`; pictures are left out."""
    rows = []
    for start in range(0, len(seeds), env.num_envs):
        block = list(seeds[start : start + env.num_envs])
        padded = [*block, *[block[-1]] * (env.num_envs - len(block))]
        observations, _ = env.reset(seed=padded, options={"reset_mask": np.ones(env.num_envs, dtype=np.bool_)})
        vectors = [observations[name] for name in sorted(observations) if not name.startswith("image_")]
        rows.append(np.concatenate([v.reshape(env.num_envs, -1) for v in vectors], axis=1)[: len(block)])
    return np.concatenate(rows).astype(np.float64)


def _design(observed: Sequence[Floats]) -> Floats:
    """Inputs of the regression, variant after variant: 1, each varying number, its square, and which variant it is."""
    stacked = np.concatenate(observed)
    spread = stacked.std(axis=0)
    varying = spread > 1e-6
    scaled = (stacked[:, varying] - stacked[:, varying].mean(axis=0)) / spread[varying]
    which = np.repeat(np.eye(len(observed)), [len(each) for each in observed], axis=0)
    return np.concatenate([np.ones((len(stacked), 1)), scaled, scaled**2 - 1, 2.0 * which], axis=1)


def _choose(
    design: Floats,
    tried: np.ndarray[tuple[int], np.dtype[np.intp]],
    failed: Floats,
    untried: np.ndarray[tuple[int], np.dtype[np.bool_]],
    count: int,
    generator: np.random.Generator,
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The untried starts that fail likeliest, each under a draw of its own."""
    weights, root = _fit(design[tried], failed)
    left, chosen = untried.copy(), []
    for _ in range(count):
        drawn = weights + root @ generator.standard_normal(len(weights))
        best = int(np.where(left, design @ drawn, -np.inf).argmax())
        left[best] = False
        chosen.append(best)
    return np.array(chosen, dtype=np.intp)


def _fit(inputs: Floats, failed: Floats) -> tuple[Floats, Floats]:
    """Laplace's approximation of the posterior: the likeliest weights, and a root of their covariance."""
    size = inputs.shape[1]
    weights, precision = np.zeros(size), _PRIOR_PRECISION * np.eye(size)
    for _ in range(_NEWTON_STEPS if len(failed) else 0):
        chance = 1.0 / (1.0 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (failed - chance) - _PRIOR_PRECISION * weights
        precision = _PRIOR_PRECISION * np.eye(size) + (inputs.T * (chance * (1 - chance))) @ inputs
        step = np.linalg.solve(precision, slope)
        weights = weights + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
    return weights, np.linalg.inv(np.linalg.cholesky(precision)).T


def _joined(before: EvalResult | None, more: EvalResult, asked: int) -> EvalResult:
    episodes = (*(before.episodes if before else ()), *more.episodes)
    return replace(
        more,
        episodes=episodes,
        episodes_asked=len(episodes),
        seconds=(before.seconds if before else 0.0) + more.seconds,
        sampling=SEARCH,
        sampling_note=f"a search for failures over {asked} episodes",
    )
