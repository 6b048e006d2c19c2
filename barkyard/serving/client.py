"""For a robot's control loop: the action for now, without ever waiting longer than a deadline.

Needs numpy, msgpack and websockets; neither torch nor MuJoCo.
"""

import time as clock
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from barkyard.errors import BarkyardError, InvalidInput
from barkyard.serving.messages import SEED, TIME, pack, read_answer, read_greeting, unpack

Observation = Mapping[str, NDArray[Any]]

_PATIENCE: Final = 2.0
"""Seconds without an answer after which a connection is given up."""
_BETWEEN_TRIES: Final = 0.1
_LONGEST_HISTORY: Final = 256


class PolicyClient:
    """Asks a policy server, and connects again, from a thread of its own, whenever the connection is lost. Final.

    Args:
        url: the server's, such as `ws://127.0.0.1:8766`.
        token: its token.
        safe_action: what the robot does where there is no action for now; given the observation.
        deadline: how long `act` may wait for the server [s]; less than a control period.
        observations: shapes of the parts that the robot offers; a server that needs others is refused.

    Attributes:
        hello: what the server said when it was connected last; empty before.
        safe: how often `act` gave a safe action.
        trouble: the last error in words; empty if there was none.
    """

    def __init__(
        self,
        url: str,
        token: str,
        safe_action: Callable[[Observation], NDArray[np.float32]],
        *,
        deadline: float,
        observations: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.url, self.deadline, self.safe_action = url, deadline, safe_action
        self._token, self._offered = token, observations
        self.hello: dict[str, Any] = {}
        self.safe, self.trouble = 0, ""
        self._socket: ClientConnection | None = None
        self._asked: float | None = None
        self._ends, self._connected, self._lost = Event(), Event(), Event()
        self.begin(0)
        self._thread = Thread(target=self._keep_connected, name="policy client", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether there is a server now."""
        return self._socket is not None

    def begin(self, seed: int) -> None:
        """A new episode, with its own noise."""
        self._seed: int | None = seed
        self._history: deque[Observation] = deque(maxlen=_LONGEST_HISTORY)
        self._actions: NDArray[np.float32] | None = None
        self._first_time = 0.0

    def wait(self, seconds: float) -> None:
        """Wait until there is a server. Raises BarkyardError if that takes longer."""
        if not self._connected.wait(seconds):
            raise BarkyardError(f"no policy server at {self.url} within {seconds} s: {self.trouble}")

    def act(self, observation: Observation, time: float) -> NDArray[np.float32]:
        """The action for now; ask once a control period.

        Args:
            observation: the parts by name.
            time: when they were measured, on any clock that goes on [s].
        """
        end = clock.perf_counter() + self.deadline
        self._history.append(observation)
        socket = self._socket
        try:
            while (action := self._planned(time)) is None and socket is not None:
                if self._asked is None:
                    socket.send(self._request(time))
                    self._asked = clock.perf_counter()
                self._take(socket.recv(timeout=max(end - clock.perf_counter(), 0.0)))
        except TimeoutError:  # the answer may hold actions for later
            if self._asked is not None and clock.perf_counter() - self._asked > _PATIENCE:
                self._lose(f"no answer for {_PATIENCE} s")
        except (WebSocketException, OSError) as error:
            self._lose(f"{type(error).__name__}: {error}")
        except BarkyardError as error:
            self.trouble = str(error)
        if action is None:
            self.safe += 1
            return self.safe_action(observation)
        return action

    def close(self) -> None:
        """Let go of the server."""
        self._ends.set()
        self._lose("closed")
        self._thread.join(_PATIENCE)

    def _planned(self, time: float) -> NDArray[np.float32] | None:
        """What was predicted for `time`."""
        if self._actions is None:
            return None
        step = round((time - self._first_time) / self.hello["features"]["control_dt"])
        return self._actions[step] if 0 <= step < len(self._actions) else None

    def _request(self, time: float) -> bytes:
        newest = list(self._history)[-self.hello["observation_steps"] :]
        parts = {name: np.stack([seen[name] for seen in newest]) for name in self.hello["features"]["observations"]}
        seed, self._seed = self._seed, None
        return pack({**parts, TIME: time} | ({} if seed is None else {SEED: seed}))

    def _take(self, answer: str | bytes) -> None:
        self._asked = None
        if isinstance(answer, str):
            raise InvalidInput(f"the policy server said: {answer}")
        self._actions, self._first_time = read_answer(unpack(answer), self.hello["features"]["action_dim"])

    def _lose(self, why: str) -> None:
        self.trouble = why
        self._socket = self._asked = None
        self._connected.clear()
        self._lost.set()

    def _keep_connected(self) -> None:
        headers = {"Authorization": f"Api-Key {self._token}"}
        while not self._ends.is_set():
            try:
                with connect(
                    self.url,
                    additional_headers=headers,
                    compression=None,
                    proxy=None,
                    open_timeout=_PATIENCE,
                    close_timeout=_BETWEEN_TRIES,
                ) as socket:
                    self.hello = self._check(socket.recv(timeout=_PATIENCE))
                    self._lost.clear()
                    self._socket = socket
                    self._connected.set()
                    self._lost.wait()
            except (WebSocketException, OSError, BarkyardError) as error:
                self.trouble = f"{type(error).__name__}: {error}"
            self._ends.wait(_BETWEEN_TRIES)

    def _check(self, greeting: str | bytes) -> dict[str, Any]:
        hello = read_greeting({} if isinstance(greeting, str) else unpack(greeting))
        for name, shape in hello["features"]["observations"].items() if self._offered is not None else ():
            offered = (self._offered or {}).get(name)
            if offered is None or tuple(offered) != tuple(shape):
                what = "does not offer it" if offered is None else f"offers {tuple(offered)}"
                raise BarkyardError(f"the policy reads {name!r} {tuple(shape)}, and the robot {what}")
        return hello
