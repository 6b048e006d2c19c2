"""What every registered environment promises, as functions that raise AssertionError when it does not."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from barkyard.episode import ENDS, Observations

STEPS = 60
SLOTS = 3
_COURSE = {
    "gates_left": "random actions cross no gate",
    "board": "its last element is the board's length, which the standard course fixes",
}
CONSTANT_ELEMENTS: Mapping[str, Mapping[str, str]] = {
    "barkyard/AgilityCourse-v0": _COURSE,
    "barkyard/WeavePoles-v0": _COURSE,
    "barkyard/AFrame-v0": _COURSE,
    "barkyard/BroadJump-v0": _COURSE,
    "barkyard/PauseTable-v0": _COURSE,
    "barkyard/PickPlaceCan-v0": {
        "object_pos_world": "the can stays where it is unless random actions happen to hit it",
        "object_quat_world": "the can stays as it is unless random actions happen to hit it",
    },
    "barkyard/Door-v0": {
        "door_pos_world": "the door turns about the vertical, so its height never changes",
    },
    "barkyard/Stack-v0": {
        "object_quat_world": "the cubes only turn about the vertical unless random actions happen to hit them",
        "target_quat_world": "the cubes only turn about the vertical unless random actions happen to hit them",
    },
    "barkyard/Lift-v0": {
        "object_quat_world": "the cube only turns about the vertical unless random actions happen to hit it",
    },
}
"""Parts that may hold elements which do not change under random actions, each with the reason."""
STARTS_ALIKE = (
    "joint_target",
    "joint_vel",
    "gripper_pos",
    "gripper_target",
    "base_up",
    "base_linear_velocity",
    "base_angular_velocity",
    "last_action",
    "door_hinge",
    "handle_turn",
    "clock",
    "gates_left",
    "terrain",
    "base_velocity",
    "com_velocity",
)
"""Parts that may be the same at every start: robots start at rest, upright, on level ground, with open grippers,
targets at home, closed doors and clocks at zero."""

Make = Callable[[], Any]


def _actions(env: Any, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.uniform(-1, 1, (STEPS, *env.action_space.shape)).astype(np.float32)


def _run(env: Any, seed: int = 7) -> list[tuple[Any, ...]]:
    observations, info = env.reset(seed=seed)
    out = [(observations, np.zeros(env.num_envs), info)]
    for action in _actions(env):
        observations, reward, _, _, info = env.step(action)
        out.append((observations, reward, info))
    return out


def _copy(observations: Observations) -> Observations:
    return {name: values.copy() for name, values in observations.items()}


def observations_fit_the_space(make: Make) -> None:
    env = make()
    assert env.action_space.shape == (env.num_envs, *env.single_action_space.shape)
    for observations, _, _ in _run(env):
        assert list(observations) == list(env.single_observation_space.spaces)
        for name, space in env.single_observation_space.spaces.items():
            values = observations[name]
            assert values.dtype == space.dtype and values.shape == (env.num_envs, *space.shape), name
            assert all(space.contains(row) for row in values), f"{name} leaves its bounds"


def everything_is_finite(make: Make) -> None:
    env = make()
    for observations, reward, info in _run(env):
        assert all(np.isfinite(values).all() for values in observations.values())
        assert np.isfinite(reward).all()
        assert all(np.isfinite(values).all() for values in info["metrics"].values())


def rewards_are_in_the_unit_interval(make: Make) -> None:
    rewards = np.array([reward for _, reward, _ in _run(make())])
    assert rewards.min() >= 0.0 and rewards.max() <= 1.0
    assert np.ptp(rewards) > 0.0, "a shaped reward changes"


def starts_are_randomised(make: Make) -> None:
    env = make()
    first = _copy(env.reset(seed=1)[0])
    second = env.reset(seed=1000)[0]
    for name in first:
        if name not in STARTS_ALIKE:
            assert not np.array_equal(first[name], second[name]), f"{name} starts the same for every seed"


def equal_seeds_give_equal_episodes(make: Make) -> None:
    for (first, reward_1, _), (second, reward_2, _) in zip(_run(make()), _run(make()), strict=True):
        np.testing.assert_array_equal(reward_1, reward_2)
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])


def different_seeds_give_different_episodes(make: Make) -> None:
    env = make()
    first = [_copy(o) for o, _, _ in _run(env, seed=1)][-1]
    second = _run(env, seed=1000)[-1][0]
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def observations_are_fresh_arrays(make: Make) -> None:
    env = make()
    observations, _ = env.reset(seed=0)
    kept = _copy(observations)
    following = env.step(_actions(env)[0])[0]
    for name in observations:
        np.testing.assert_array_equal(observations[name], kept[name], err_msg=f"{name} was overwritten by the step")
        assert not np.shares_memory(observations[name], following[name])


def no_observation_element_is_constant(make: Make) -> None:
    env = make()
    allowed = CONSTANT_ELEMENTS.get(env.env_id, {})
    seen = _run(env)
    for name in seen[0][0]:
        values = np.array([observations[name] for observations, _, _ in seen])
        constant = (np.ptp(values.reshape(-1, *values.shape[2:]), axis=0) == 0).any()
        assert not constant or name in allowed, f"{name} holds an element that never changes"


def info_says_success_and_why_it_ended(make: Make) -> None:
    env = make()
    for _, _, info in _run(env):
        for name in ("success", "is_success"):
            assert info[name].dtype == bool and info[name].shape == (env.num_envs,)
        np.testing.assert_array_equal(info["success"], info["is_success"])
        assert all(end in ("", *ENDS) for end in info["end"])
        assert all(values.shape == (env.num_envs,) for values in info["metrics"].values())


def episodes_end_and_begin_again(make: Make) -> None:
    env = make()
    env.reset(seed=0)
    rest = np.zeros(env.action_space.shape, dtype=np.float32)
    limit = round(env.task.time_limit / env.control_dt)
    for step in range(1, limit + 1):
        _, _, terminated, truncated, info = env.step(rest)
        assert ((terminated | truncated) == (step == limit)).all(), f"at step {step} of {limit}"
    assert all(end in ("time_limit", "success") for end in info["end"])
    assert (truncated == (info["end"] == "time_limit")).all()
    observations, _ = env.reset(seed=0, options={"reset_mask": np.ones(env.num_envs, dtype=bool)})
    again, _ = env.reset(seed=0)
    for name in observations:
        np.testing.assert_array_equal(observations[name], again[name])
    _, _, terminated, truncated, _ = env.step(rest)
    assert not terminated.any() and not truncated.any()


def stored_states_replay_exactly(make: Make) -> None:
    env = make()
    observations, _ = env.reset(seed=3)
    states, seen = [env.get_states()], [observations]
    for action in _actions(env)[:20]:
        seen.append(env.step(action)[0])
        states.append(env.get_states())
    other = make()
    other.reset(seed=99)
    for state, expected in zip(states, seen, strict=True):
        replayed = other.set_states(state)
        np.testing.assert_array_equal(other.get_states(), state)
        for name in expected:
            np.testing.assert_array_equal(replayed[name], expected[name], err_msg=name)
    other.set_states(states[0])
    for action, expected in zip(_actions(env)[:20], seen[1:], strict=False):
        stepped = other.step(action)[0]
        for name in expected:
            np.testing.assert_array_equal(stepped[name], expected[name], err_msg=name)


CONTRACTS = (
    observations_fit_the_space,
    everything_is_finite,
    rewards_are_in_the_unit_interval,
    starts_are_randomised,
    equal_seeds_give_equal_episodes,
    different_seeds_give_different_episodes,
    observations_are_fresh_arrays,
    no_observation_element_is_constant,
    info_says_success_and_why_it_ended,
    episodes_end_and_begin_again,
    stored_states_replay_exactly,
)
