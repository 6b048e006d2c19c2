"""A robot driven in real time through `barkyard serve`: latency percentiles, and what a killed server costs.

The environment of the checkpoint stands in for the robot: it is stepped once a control period, on time, whatever the
server does. Halfway the server is killed (SIGKILL), and started again a second later. The safe action is no action.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.policies import load_policy
from barkyard.serving.client import PolicyClient

OUTAGE = 1.0
"""Seconds from the kill to the new start."""


@dataclass
class Measured:
    """What was seen of a run; one number a control period, in seconds."""

    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    safe: list[bool] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--no-kill", action="store_true", help="leave the server alone")
    arguments = parser.parse_args(argv)
    features = load_policy(arguments.checkpoint).features
    env = make_vec_env(features.env_id, 1, autoreset_mode=AutoresetMode.DISABLED, **features.env_kwargs)
    with tempfile.TemporaryDirectory() as folder:
        token_file = Path(folder) / "token"
        server, hello = start_server(arguments.checkpoint, token_file, 0)
        port = int(hello["url"].rpartition(":")[2])
        action_dim = features.action_dim
        client = PolicyClient(
            hello["url"],
            hello["token"],
            lambda _: np.zeros(action_dim, dtype=np.float32),
            deadline=0.8 * features.control_dt,
            observations=features.observations,
        )
        try:
            client.wait(30.0)
            measured = Measured()
            periods = round(60.0 * arguments.minutes / features.control_dt)
            drive(env, client, periods if arguments.no_kill else periods // 2, measured)
            begun = len(measured.safe)
            if not arguments.no_kill:
                server.kill()
                server.wait()
                drive(env, client, round(OUTAGE / features.control_dt), measured)
                server, _ = start_server(arguments.checkpoint, token_file, port, wait=False)
                drive(env, client, periods - len(measured.safe), measured)
            report(features.env_id, features.control_dt, measured, begun)
            if not client.connected:
                raise SystemExit(f"the server is not back: {client.trouble}")
        finally:
            client.close()
            server.terminate()
            server.wait()
            env.close()
    return 0


def start_server(
    checkpoint: Path, token_file: Path, port: int, wait: bool = True
) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """`barkyard serve`, and its address and token where they are waited for."""
    words = ["serve", str(checkpoint), "--port", str(port), "--token-file", str(token_file), "--json"]
    server = subprocess.Popen([sys.executable, "-m", "barkyard", *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, json.loads("".join(server.stdout.readline() for _ in range(4))) if wait else {}


def drive(env: RobotVectorEnv, client: PolicyClient, periods: int, measured: Measured) -> None:
    """Step the robot for so many control periods, each when it is due."""
    seed = len(measured.ends)
    observations, _ = env.reset(seed=[seed])
    client.begin(seed)
    due = time.perf_counter()
    for _ in range(periods):
        now = time.perf_counter()
        measured.late.append(now - due)
        safe = client.safe
        action = client.act({name: values[0] for name, values in observations.items()}, due)
        measured.latencies.append(time.perf_counter() - now)
        measured.safe.append(client.safe > safe)
        observations, _, terminated, truncated, info = env.step(action[None])
        if terminated[0] or truncated[0]:
            end = str(info["end"][0])
            measured.ends[end] = measured.ends.get(end, 0) + 1
            seed += 1
            observations, _ = env.reset(seed=[seed])
            client.begin(seed)
        due += env.control_dt
        time.sleep(max(due - time.perf_counter(), 0.0))


def report(env_id: str, dt: float, measured: Measured, killed: int) -> None:
    """Print the percentiles, and how long the server was gone from period `killed` on."""
    safe = np.array(measured.safe)
    outage = killed + int(np.argmin(safe[killed:])) if safe[killed:].any() else killed
    print(f"{env_id}: {len(safe)} control periods at {1 / dt:.0f} Hz = {len(safe) * dt / 60:.1f} minutes")
    rows = {
        "observation to action": np.array(measured.latencies)[~safe],
        "period began late by": np.array(measured.late),
    }
    for name, values in rows.items():
        told = "  ".join(f"p{p:g} {1e3 * np.percentile(values, p):.2f}" for p in (50, 90, 99, 99.9))
        print(f"{name} [ms]: {told}  max {1e3 * values.max():.2f}")
    if killed < len(safe):
        print(
            f"server killed after {killed * dt:.1f} s: {(outage - killed) * dt:.2f} s of safe actions until it was back"
        )
    print(f"safe actions while there was a server: {safe[:killed].sum() + safe[outage:].sum()}")
    print(f"episodes ended: {measured.ends}")


if __name__ == "__main__":
    sys.exit(main())
