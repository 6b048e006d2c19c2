import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from barkyard.episode import EVALUATION_SEED_START
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.evaluation import (
    EpisodeRecord,
    EvalResult,
    EvaluationInterrupted,
    RandomActor,
    evaluate,
    evaluation_seeds,
)

from .fakes import FailingActor, FakeVectorEnv, SlotDependentActor, StillActor, length, succeeds

SEEDS = evaluation_seeds(40)


def test_records_say_what_happened() -> None:
    result = evaluate(FakeVectorEnv(7), StillActor(), SEEDS, fingerprints={"checkpoint": "c0ffee"}, command="go")
    assert result.episodes == tuple(
        EpisodeRecord(
            seed=seed,
            success=succeeds(seed),
            total_reward=0.0,
            length=length(seed),
            end="success" if succeeds(seed) else "time_limit",
            score=length(seed) / 12,
        )
        for seed in SEEDS
    )
    assert result.num_successes == sum(map(succeeds, SEEDS)) not in (0, 40)
    assert result.complete
    assert (result.env_id, result.actor, result.source) == ("barkyard/Fake-v0", "still", "sim")
    assert result.env_kwargs == {"reward": "dense", "cameras": []}
    assert result.fingerprints == {"env": "feedfacefeedface", "checkpoint": "c0ffee"}
    assert (result.num_envs, result.command) == (7, "go")
    assert result.versions["numpy"] == np.__version__
    assert 0 < result.seconds < 60


def test_results_are_the_same_at_any_number_of_environments() -> None:
    results = [evaluate(FakeVectorEnv(n), RandomActor(2), SEEDS) for n in (1, 3, 64)]
    assert results[0].episodes == results[1].episodes == results[2].episodes
    assert len({result.fingerprint for result in results}) == 1
    assert len({record.total_reward for record in results[0].episodes}) == len(SEEDS)


def test_an_actor_that_knows_its_slot_is_found_out() -> None:
    results = [evaluate(FakeVectorEnv(n), SlotDependentActor(), SEEDS) for n in (1, 3)]
    assert results[0].fingerprint != results[1].fingerprint


def test_order_is_that_of_the_seeds_asked_for() -> None:
    shuffled = [int(seed) for seed in np.random.default_rng(3).permutation(SEEDS)]
    told: list[int] = []
    result = evaluate(FakeVectorEnv(5), StillActor(), shuffled, on_episode=lambda record: told.append(record.seed))
    assert [record.seed for record in result.episodes] == shuffled == told


@pytest.mark.parametrize(
    ("seeds", "named"),
    [
        ([EVALUATION_SEED_START, 5], "seed 5 is kept for collection"),
        ([EVALUATION_SEED_START - 1], "999999999"),
        ([2**31], "2147483648"),
        ([-1], "seed -1"),
        ([], "at least one seed"),
        ([[EVALUATION_SEED_START]], "shape"),
        ([SEEDS[0], SEEDS[1], SEEDS[0]], f"seed {SEEDS[0]} is given 2 times"),
        ([EVALUATION_SEED_START + 0.5], "whole numbers"),
    ],
)
def test_refuses_seeds_before_the_first_step(seeds: Any, named: str) -> None:
    env = FakeVectorEnv(2)
    with pytest.raises(InvalidInput, match=named):
        evaluate(env, StillActor(), seeds)
    assert not env.seeds.any()


@pytest.mark.parametrize("source", ["real", "simulated"])
def test_refuses_a_source_that_steps_no_environment(source: str) -> None:
    env = FakeVectorEnv(2)
    env.source = source
    with pytest.raises(InvalidInput, match=source):
        evaluate(env, StillActor(), SEEDS)


def test_what_stands_in_for_a_real_robot_says_so() -> None:
    env = FakeVectorEnv(2)
    env.source = "surrogate"
    assert evaluate(env, StillActor(), SEEDS).source == "surrogate"


def test_evaluation_seeds() -> None:
    assert evaluation_seeds(3) == [10**9, 10**9 + 1, 10**9 + 2]
    assert evaluation_seeds(2, start=100) == [10**9 + 100, 10**9 + 101]
    for episodes, start in ((0, 0), (1, -1), (1, 2**31 - 10**9), (2**31 - 10**9 + 1, 0)):
        with pytest.raises(InvalidInput):
            evaluation_seeds(episodes, start)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CheckpointError("weights are NaN"), RuntimeError("bug")])
def test_a_stop_keeps_what_was_finished_and_says_that_it_is_partial(error: BaseException) -> None:
    whole = evaluate(FakeVectorEnv(3), StillActor(), SEEDS)
    with pytest.raises(EvaluationInterrupted, match=r"stopped after \d+ of 40 episodes") as stopped:
        evaluate(FakeVectorEnv(3), FailingActor(30, error), SEEDS)
    partial = stopped.value.partial
    assert 0 < partial.num_episodes < 40
    assert partial.episodes == whole.episodes[: partial.num_episodes]
    assert partial.episodes_asked == 40
    assert not partial.complete
    assert partial.fingerprint != replace(partial, episodes_asked=partial.num_episodes).fingerprint
    assert stopped.value.__cause__ is error
    assert type(error).__name__ in str(stopped.value) or isinstance(error, KeyboardInterrupt)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CheckpointError("weights are NaN")])
def test_a_stop_before_the_first_episode_raises_its_cause(error: BaseException) -> None:
    with pytest.raises(type(error)):
        evaluate(FakeVectorEnv(3), FailingActor(1, error), SEEDS)


def test_ctrl_c_in_the_progress_callback_keeps_its_episode() -> None:
    # where the tests run in the background, SIGINT is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def press(record: EpisodeRecord) -> None:
        if record.seed == SEEDS[4]:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(EvaluationInterrupted) as stopped:
        evaluate(FakeVectorEnv(8), StillActor(), SEEDS, on_episode=press)
    assert [record.seed for record in stopped.value.partial.episodes] == SEEDS[:5]


def test_a_partial_result_stays_partial_on_disk(tmp_path: Any) -> None:
    with pytest.raises(EvaluationInterrupted) as stopped:
        evaluate(FakeVectorEnv(3), FailingActor(30, KeyboardInterrupt()), SEEDS)
    stopped.value.partial.save(tmp_path / "partial.json")
    assert not EvalResult.load(tmp_path / "partial.json").complete


def test_import_brings_no_plots_no_video_and_no_torch() -> None:
    code = (
        "import sys, barkyard.evaluation; print(sorted({'torch', 'matplotlib', 'imageio', 'jinja2'} & {*sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert found.stdout.strip() == "[]"
