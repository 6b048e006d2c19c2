"""A policy server that is killed while a robot is driven through it."""

import os
import socket
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.policies import load_policy
from barkyard.policies.inference import Inference
from barkyard.policies.policy import Policy
from barkyard.serving.client import PolicyClient
from barkyard.serving.server import read_token
from fault_suite.kills import fresh
from fault_suite.processes import Command, begin
from fault_suite.table import Row

PERIOD = 0.1
"""Seconds of the robot's control period, long enough for a machine that does other work too."""
UP_AT_MOST = 1.0
"""Seconds that a server is left alone once it is well."""


def kill_server(checkpoint: Path, folder: Path, count: int, draw: np.random.Generator) -> Row:
    """Kill the server again and again under a robot, and check every action that the robot was given.

    Raises:
        AssertionError: an action was not the policy's, or the policy's did not come back.
    """
    fresh(folder)
    policy, token = load_policy(checkpoint), folder / "token"
    assert policy.config.action_steps == 1, "the actions are checked one by one"
    port, server = _free_port(), Command(0, folder / "says", 0.0, 0)
    secret = read_token(token)
    robot = os.fork()
    if robot == 0:
        _drive(f"ws://127.0.0.1:{port}", secret, policy, folder)
    try:
        for number in range(count):
            print(f"server: {number} of {count} kills", file=sys.stderr)
            server = begin(["serve", checkpoint, "--port", port, "--token-file", token], folder / "says")
            _await_health(port, server)
            assert server.wait(draw.uniform(0.0, UP_AT_MOST)) is None
            assert server.kill()
        server = begin(["serve", checkpoint, "--port", port, "--token-file", token], folder / "says")
        _await_health(port, server)
        time.sleep(50 * PERIOD)
    finally:
        (folder / "stop").touch()
        os.waitpid(robot, 0)
        server.kill()
    outages = _judge(policy, folder / "driven.npz")
    usual, longest = PERIOD * median(outages), PERIOD * max(outages)
    lost = (
        f"its actions for {usual:.1f} s in the median and {longest:.1f} s at most, its start included; safe ones then"
    )
    return Row("SIGKILL", "server", count, lost, "the same `barkyard serve`; the client connects by itself")


def _drive(url: str, token: str, policy: Policy, folder: Path) -> None:
    """The robot: what it did, once it is told to stop."""
    features = policy.features
    actions: list[NDArray[np.float32]] = []
    safe: list[bool] = []
    hold = np.zeros(features.action_dim, dtype=np.float32)
    client = PolicyClient(url, token, lambda _: hold, deadline=0.8 * PERIOD)
    due = time.perf_counter()
    while not (folder / "stop").exists():
        before, number = client.safe, len(actions)
        actions.append(client.act(_seen(policy, number), number * features.control_dt))
        safe.append(client.safe > before)
        due += PERIOD
        time.sleep(max(due - time.perf_counter(), 0.0))
    np.savez(folder / "driven.npz", actions=np.stack(actions), safe=np.array(safe))
    os._exit(0)


def _seen(policy: Policy, number: int) -> dict[str, NDArray[Any]]:
    """What the robot senses in a control period."""
    draw = np.random.default_rng(number)
    shapes = policy.features.observations
    return {name: draw.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def _judge(policy: Policy, driven: Path) -> list[int]:
    """Lengths of the outages in control periods; every other action must be the policy's."""
    with np.load(driven) as found:
        actions, safe = found["actions"], found["safe"]
    infer, steps = Inference(policy), policy.config.observation_steps
    for number in np.flatnonzero(~safe):
        history = [_seen(policy, max(0, number - back)) for back in reversed(range(steps))]
        windows = {name: np.stack([seen[name] for seen in history])[None] for name in history[0]}
        noise = np.zeros((1, *policy.noise_shape), dtype=np.float32)
        np.testing.assert_array_equal(actions[number], infer(windows, noise)[0, 0])
    assert not safe[-20:].all(), "the policy did not come back"
    edges = np.flatnonzero(np.diff(np.concatenate([[0], safe.astype(int), [0]])))
    lengths = (edges[1::2] - edges[::2]).tolist()
    return lengths[1:]  # before the first start there was no server to lose


def _await_health(port: int, server: Command) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1.0) as answer:
                if answer.status == 200:
                    return
        except OSError:
            assert server.wait(0.02) is None, server.says.read_text()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
