"""The policy server."""

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

import barkyard
from barkyard.errors import BarkyardError, InvalidInput
from barkyard.policies.checkpoint import checkpoint_fingerprint, load_policy
from barkyard.policies.inference import Inference, episode_generator
from barkyard.serving.batching import Batcher
from barkyard.serving.messages import PROTOCOL, Request, largest_request, pack, read_request, unpack
from barkyard.web import LOOPBACK, WebServer

if TYPE_CHECKING:
    from aiohttp import web

PORT: Final = 8766
BATCHES: Final = 4
"""Rows of the policy's own batch that one inference answers at most, as a multiple; a choice."""
STUCK: Final = 10.0
"""Seconds of one inference after which the server calls itself unwell."""
_HEARTBEAT: Final = 5.0


class PolicyServer:
    """Serves one checkpoint to any number of clients. Final.

    It keeps nothing of a client but the noise of its episode: a request carries all observations that the policy looks
    at, so a server that is started anew goes on where the old one stopped.

    Args:
        checkpoint: a checkpoint, or the folder of a training run.
        host: address to listen at.
        port: 0 takes any that is free.
        token: the secret that clients need; a new one unless given.
        device: torch device.

    Raises:
        CheckpointError: there is no checkpoint, or it is damaged.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        token: str | None = None,
        device: str = "cpu",
    ) -> None:
        policy = load_policy(checkpoint).to(device)
        self._infer, self._policy = Inference(policy), policy
        self._batcher: Batcher[tuple[Request, NDArray[np.float32]], NDArray[np.float32]] = Batcher(
            self._answer, BATCHES * self._infer.rows
        )
        self._largest = largest_request(policy.features.observations, policy.config.observation_steps)
        self._began, self._connections = time.monotonic(), 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._greeting = pack(self._hello(checkpoint_fingerprint(checkpoint)))
        routes = {"/": self._socket, "/healthz": self._health}
        self._web = WebServer(routes, host, port, extra="serve", token=token, before_end=self._say_goodbye)

    @property
    def url(self) -> str:
        """Where clients connect, without the token."""
        return f"ws://{self._web.host}:{self._web.port}"

    @property
    def token(self) -> str:
        """The secret that clients need."""
        return self._web.token

    def start(self) -> None:
        """Listen. Raises BarkyardError where aiohttp is absent or the port is taken."""
        self._web.start()

    def stop(self) -> None:
        """Close all connections and the port."""
        self._web.stop()
        self._batcher.close()

    def __enter__(self) -> "PolicyServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _hello(self, fingerprint: str) -> dict[str, Any]:
        policy, config = self._policy, self._policy.config
        return {
            "protocol": PROTOCOL,
            "version": barkyard.__version__,
            "policy": policy.origin.policy,
            "checkpoint": fingerprint,
            "features": policy.features.to_json(),
            "observation_steps": config.observation_steps,
            "action_steps": config.action_steps,
        }

    async def _health(self, request: "web.Request") -> "web.Response":
        """Open to all, as what watches over servers has no token: how much was done, and whether it goes on."""
        from aiohttp import web

        busy = self._batcher.busy()
        facts = {
            "status": "stuck" if busy > STUCK else "ok",
            "seconds": round(time.monotonic() - self._began, 3),
            "clients": len(self._sockets),
            "requests": self._batcher.answered,
            "inferences": self._batcher.batches,
        }
        return web.json_response(facts, status=503 if busy > STUCK else 200)

    async def _socket(self, request: "web.Request") -> "web.WebSocketResponse":
        from aiohttp import WSMsgType, web

        self._web.refuse_strangers(request)
        socket = web.WebSocketResponse(max_msg_size=self._largest, heartbeat=_HEARTBEAT, compress=False)
        await socket.prepare(request)
        self._connections += 1
        client = _Client(self._policy.noise_shape, self._connections)
        self._sockets.add(socket)
        try:
            await socket.send_bytes(self._greeting)
            async for received in socket:
                if received.type == WSMsgType.BINARY:
                    await self._reply(socket, client, received.data)
                else:
                    await socket.send_str("a request is a binary message")
        except ConnectionError:
            pass  # it went away while it was answered
        finally:
            self._sockets.discard(socket)
        return socket

    async def _reply(self, socket: "web.WebSocketResponse", client: "_Client", data: bytes) -> None:
        features, steps = self._policy.features, self._policy.config.observation_steps
        try:
            request = read_request(unpack(data), features.observations, steps)
            actions, timing = await self._batcher.ask((request, client.noise(request)))
        except BarkyardError as error:
            await socket.send_str(str(error))
            return
        answer = {
            "actions": actions,
            "times": request.time + features.control_dt * np.arange(len(actions)),
            "server_timing": {
                "infer_ms": 1e3 * timing.inferred,
                "wait_ms": 1e3 * timing.waited,
                "batch": timing.batch,
            },
        }
        await socket.send_bytes(pack(answer))

    def _answer(self, questions: Sequence[tuple[Request, NDArray[np.float32]]]) -> Sequence[NDArray[np.float32]]:
        keys = self._policy.features.observations
        windows = {key: np.stack([request.windows[key] for request, _ in questions]) for key in keys}
        return list(self._infer(windows, np.stack([noise for _, noise in questions])))

    async def _say_goodbye(self) -> None:
        closing = [socket.close(code=1001, message=b"the server stops") for socket in self._sockets]
        await asyncio.gather(*closing, return_exceptions=True)


class _Client:
    """The noise of a client's episode."""

    def __init__(self, shape: tuple[int, int, int], number: int) -> None:
        self._shape, self._generator = shape, episode_generator(0, number)

    def noise(self, request: Request) -> NDArray[np.float32]:
        if request.seed is not None:
            self._generator = episode_generator(0, request.seed)
        return self._generator.standard_normal(self._shape, dtype=np.float32)


def read_token(path: Path) -> str:
    """The token in a file, which is made, for its owner alone, where it is absent.

    Raises:
        InvalidInput: the file holds no token, or others may read it.
        OSError: it can be neither read nor made.
    """
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(16) + "\n")
    if path.stat().st_mode & 0o077:
        raise InvalidInput(f"others may read the token in {path}: chmod 600 {path}")
    token = path.read_text().strip()
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput(f"{path} holds no token: 16 or more letters, digits or signs in one line")
    return token
