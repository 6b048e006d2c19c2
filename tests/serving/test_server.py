"""The server and its client, over a real socket."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from barkyard.errors import BarkyardError, CheckpointError, InvalidInput
from barkyard.policies.actor import PolicyActor
from barkyard.policies.checkpoint import load_policy
from barkyard.serving.client import Observation, PolicyClient
from barkyard.serving.messages import SEED, TIME, pack, unpack
from barkyard.serving.server import PolicyServer, read_token
from tests.policies.synthetic import FEATURES, make_tiny

DT = FEATURES.control_dt
SAFE = np.array([9.0, 9.0], np.float32)
PATIENCE = 120.0
"""Seconds that a process may take to begin or end on a busy machine."""


def hold(observation: Observation) -> NDArray[np.float32]:
    return SAFE


def observations(steps: int, seed: int = 0) -> list[dict[str, NDArray[np.float32]]]:
    rng = np.random.default_rng(seed)
    return [
        {key: rng.uniform(-1, 1, shape).astype(np.float32) for key, shape in FEATURES.observations.items()}
        for _ in range(steps)
    ]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy") / "tiny"
    make_tiny("unet").save(folder)
    return folder


@pytest.fixture(scope="module")
def server(checkpoint: Path) -> Iterator[PolicyServer]:
    with PolicyServer(checkpoint) as running:
        yield running


@pytest.fixture
def client(server: PolicyServer) -> Iterator[PolicyClient]:
    client = PolicyClient(server.url, server.token, hold, deadline=5.0, observations=FEATURES.observations)
    client.wait(10.0)
    yield client
    client.close()


def in_process(checkpoint: Path, seed: int, seen: list[dict[str, NDArray[np.float32]]]) -> NDArray[np.float32]:
    """What the policy does with these observations where there is no network."""
    actor = PolicyActor(load_policy(checkpoint), 1)
    actor.reset(np.array([0]), np.array([seed]))
    return np.stack([actor.act({key: values[None] for key, values in step.items()})[0] for step in seen])


def test_actions_are_those_of_the_policy_in_the_simulation(client: PolicyClient, checkpoint: Path) -> None:
    for seed in (3, 4):
        seen = observations(11, seed)
        client.begin(seed)
        got = np.stack([client.act(step, 100.0 * seed + i * DT) for i, step in enumerate(seen)])
        np.testing.assert_array_equal(got, in_process(checkpoint, seed, seen))
    assert client.safe == 0


def test_many_clients_at_once_get_the_same_as_alone(server: PolicyServer, checkpoint: Path) -> None:
    headers = {"Authorization": f"Api-Key {server.token}"}

    async def ask(number: int) -> tuple[NDArray[np.float32], int]:
        async with connect_async(server.url, additional_headers=headers) as socket:
            await socket.recv()
            await socket.send(pack({**observations(1, number)[0], SEED: number, TIME: 5.0}))
            answer = await socket.recv()
            assert isinstance(answer, bytes)
            content = unpack(answer)
            np.testing.assert_allclose(content["times"], 5.0 + DT * np.arange(4))
            return content["actions"], content["server_timing"]["batch"]

    async def ask_all() -> list[tuple[NDArray[np.float32], int]]:
        return list(await asyncio.gather(*(ask(number) for number in range(20))))

    answers = asyncio.run(ask_all())
    assert max(batch for _, batch in answers) > 1
    for number, (actions, _) in enumerate(answers):
        np.testing.assert_array_equal(actions[:1], in_process(checkpoint, number, observations(1, number)))


def test_the_greeting_says_what_is_served(client: PolicyClient) -> None:
    hello = client.hello
    assert hello["protocol"] == "barkyard.policy-server/1" and hello["policy"] == "diffusion-unet"
    assert hello["features"]["observations"] == {"position": [2], "target": [2]}
    assert (hello["observation_steps"], hello["action_steps"]) == (2, 4)
    assert len(hello["checkpoint"]) == 16 and hello["version"]


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ({"position": (2,)}, r"reads 'target' \(2,\), and the robot does not offer it"),
        ({"position": (2,), "target": (3,)}, r"reads 'target' \(2,\), and the robot offers \(3,\)"),
    ],
)
def test_a_robot_that_does_not_fit_is_told(server: PolicyServer, offered: dict[str, Any], said: str) -> None:
    client = PolicyClient(server.url, server.token, hold, deadline=0.1, observations=offered)
    with pytest.raises(BarkyardError, match=said):
        client.wait(0.5)
    assert client.act(observations(1)[0], 0.0) is SAFE
    client.close()


def health(server: PolicyServer) -> dict[str, Any]:
    with urllib.request.urlopen(server.url.replace("ws:", "http:") + "/healthz") as answer:
        facts: dict[str, Any] = json.load(answer)
        return facts


def test_health_needs_no_token(server: PolicyServer, client: PolicyClient) -> None:
    before = health(server)
    client.act(observations(1)[0], 0.0)
    after = health(server)
    assert after["status"] == "ok" and after["clients"] >= 1
    assert after["requests"] == before["requests"] + 1


def sleep_and_repeat(questions: list[Any]) -> list[Any]:
    time.sleep(1.0)
    return questions


def test_an_inference_that_hangs_makes_the_server_unwell(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barkyard.serving.server.STUCK", 0.05)
    with PolicyServer(checkpoint) as server:
        monkeypatch.setattr(server._batcher, "_answer", sleep_and_repeat)
        client = PolicyClient(server.url, server.token, hold, deadline=0.2)
        client.wait(10.0)
        assert client.act(observations(1)[0], 0.0) is SAFE
        with pytest.raises(urllib.error.HTTPError, match="503"):
            health(server)
        client.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Api-Key guess"}, {"Origin": "http://evil.example"}])
def test_strangers_are_refused(server: PolicyServer, headers: dict[str, str]) -> None:
    if "Origin" in headers:
        headers = {**headers, "Authorization": f"Api-Key {server.token}"}
    with pytest.raises(InvalidStatus, match="403"):
        connect(server.url, additional_headers=headers, proxy=None)


def test_a_bad_request_is_answered_in_words_and_the_next_is_served(server: PolicyServer) -> None:
    with connect(server.url, additional_headers={"Authorization": f"Api-Key {server.token}"}, proxy=None) as socket:
        socket.recv()
        for request, said in (
            (b"\xc1", "this is no message"),
            (pack({"position": np.zeros(2)}), "'target' is missing"),
            (pack({"position": np.zeros(2), "target": np.array([np.nan, 0])}), "not finite"),
            ("text", "binary"),
        ):
            socket.send(request)
            answer = socket.recv(timeout=5)
            assert isinstance(answer, str) and said in answer
        socket.send(pack(observations(1)[0]))
        assert isinstance(socket.recv(timeout=5), bytes)


def test_a_policy_gone_bad_leaves_the_client_safe(checkpoint: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    policy = load_policy(checkpoint)
    with torch.no_grad():
        next(policy.parameters()).fill_(float("nan"))
    policy.save(tmp_path / "bad")
    with PolicyServer(tmp_path / "bad") as server:
        client = PolicyClient(server.url, server.token, hold, deadline=5.0)
        client.wait(10.0)
        seen = observations(1)[0]
        assert client.act(seen, 0.0) is SAFE
        assert "predicted actions that are not finite" in client.trouble
        client.close()
    (saved,) = tmp_path.glob("barkyard-*/observation.npz")
    with np.load(saved) as content:
        np.testing.assert_array_equal(content["position"], np.stack([seen["position"]] * 2))


@contextmanager
def served(checkpoint: Path, token: Path, port: str) -> "Iterator[subprocess.Popen[str]]":
    words = ["serve", str(checkpoint), "--port", port, "--token-file", str(token), "--json"]
    with subprocess.Popen([sys.executable, "-m", "barkyard", *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_server_that_is_killed_and_started_again(checkpoint: Path, tmp_path: Path) -> None:
    """The client holds the safe action, never much longer than its deadline, connects again, and goes on."""
    token, seen = tmp_path / "token", observations(1)[0]
    with served(checkpoint, token, "0") as first:
        assert first.stdout is not None
        said = json.loads("".join(first.stdout.readline() for _ in range(4)))
        client = PolicyClient(said["url"], said["token"], hold, deadline=5.0)
        client.wait(PATIENCE)
        assert client.act(seen, 0.0) is not SAFE
        first.kill()
        first.wait()
        assert client.act(seen, 1.0) is SAFE
        assert not client.connected and client.trouble
        began = time.perf_counter()
        assert client.act(seen, 2.0) is SAFE
        assert time.perf_counter() - began < 1.0, "nobody is waited for"
    with served(checkpoint, token, said["url"].rpartition(":")[2]) as second:
        client.wait(PATIENCE)
        assert client.act(seen, 3.0) is not SAFE
        assert client.safe == 2
        client.close()
        second.terminate()
        assert second.wait(PATIENCE) == 0


def test_late_answers_serve_the_steps_after(server: PolicyServer, checkpoint: Path) -> None:
    """With no patience the first action is the safe one, and the chunk that comes late is used from its place."""
    client = PolicyClient(server.url, server.token, hold, deadline=0.0)
    client.wait(10.0)
    client.begin(0)
    seen = observations(2)
    assert client.act(seen[0], 0.0) is SAFE
    time.sleep(0.5)
    actor = PolicyActor(load_policy(checkpoint), 1)
    actor.reset(np.array([0]), np.array([0]))
    chunk = [actor.act({key: values[None] for key, values in seen[0].items()})[0] for _ in range(2)]
    np.testing.assert_array_equal(client.act(seen[1], DT), chunk[1])
    assert client.act(seen[1], 4 * DT) is SAFE, "the chunk is over"
    client.close()


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_openpi_clients_may_ask(server: PolicyServer, checkpoint: Path) -> None:
    policy = pytest.importorskip("openpi_client.websocket_client_policy", reason="needs openpi-client")
    port = int(server.url.rpartition(":")[2])
    client = policy.WebsocketClientPolicy("127.0.0.1", port, api_key=server.token)
    assert client.get_server_metadata()["policy"] == "diffusion-unet"
    actions = client.infer({**observations(1, 5)[0], SEED: 5})["actions"]
    np.testing.assert_array_equal(actions[:1], in_process(checkpoint, 5, observations(1, 5)))
    client._ws.close()


def test_a_token_is_kept_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = read_token(path)
    assert len(token) >= 22 and path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == token
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="chmod 600"):
        read_token(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(InvalidInput, match="holds no token"):
        read_token(path)


def test_there_must_be_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        PolicyServer(tmp_path)


def test_the_client_needs_little() -> None:
    code = "import sys, barkyard.serving.client; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "websockets" in loaded
    assert {"torch", "mujoco", "aiohttp", "robosuite", "numba"}.isdisjoint(loaded)
