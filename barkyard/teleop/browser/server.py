"""One page on one port, with a WebSocket: pictures and status out, messages in."""

import asyncio
import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol

from barkyard.errors import InvalidInput
from barkyard.teleop.browser.messages import LONGEST, Drive, Message, Shown, parse_message
from barkyard.web import WebServer

if TYPE_CHECKING:
    from aiohttp import web

IN_FLIGHT: Final = 2
"""Frames that a page may be sent before it has drawn one: one on the wire while one is drawn."""
_HEADER: Final = struct.Struct(">II")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' blob:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_PATIENCE: Final = 10.0


@dataclass(frozen=True)
class Frame:
    """A picture.

    Attributes:
        number: counts up.
        applied: the number of the last message of the driver that had its effect.
        jpeg: the picture.
    """

    number: int
    applied: int
    jpeg: bytes

    def encode(self) -> bytes:
        """As it is sent: number and `applied`, 32 bits each, the high byte first, then the JPEG file."""
        return _HEADER.pack(self.number, self.applied % 2**32) + self.jpeg


class Listener(Protocol):
    """Takes what the driver's page says."""

    def take(self, message: Message, number: int) -> None:
        """A message; called in the server's thread."""

    def let_go(self) -> None:
        """The driver went away."""


@dataclass(eq=False)
class _Client:
    """A page that is open."""

    socket: "web.WebSocketResponse"
    news: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    drawn: int = 0
    status: str = ""

    def ready(self) -> bool:
        return self.sent - self.drawn < IN_FLIGHT


class Server:
    """Serves the page from a thread of its own. Final.

    Who opens the page first drives; the others look on, and may drive once the driver has left. Whoever has the address
    with its token may open it.

    Args:
        listener: takes what the driver says.
        hello: what a page is told when it opens.
        host: address to listen at.
        port: 0 takes any that is free.
    """

    def __init__(self, listener: Listener, hello: Mapping[str, Any], host: str, port: int) -> None:
        self._listener, self._hello = listener, dict(hello)
        routes = {"/": self._page, "/socket": self._socket}
        self._web = WebServer(routes, host, port, extra="browser", before_end=self._say_goodbye)
        self._clients: list[_Client] = []
        self._driver: _Client | None = None
        self._frame: Frame | None = None
        self._status: dict[str, Any] = {}

    @property
    def token(self) -> str:
        """A secret of 128 bits, part of the address."""
        return self._web.token

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self._web.port

    def url(self) -> str:
        """The page's address, with the token."""
        return f"http://{self._web.host}:{self.port}/?token={self.token}"

    def start(self) -> None:
        """Listen. Raises BarkyardError where aiohttp is absent or the port is taken."""
        self._web.start()

    def stop(self) -> None:
        """Close all pages and the port."""
        self._web.stop()

    def wants_frame(self) -> bool:
        """Whether a page is ready for another frame."""
        return any(client.ready() for client in list(self._clients))

    def send_frame(self, frame: Frame) -> None:
        """Give a frame to every page that is ready; the others get the newest when they are."""
        self._web.loop.call_soon_threadsafe(self._put, frame, None)

    def tell(self, status: Mapping[str, Any]) -> None:
        """Tell every page the status."""
        self._web.loop.call_soon_threadsafe(self._put, None, dict(status))

    def _put(self, frame: Frame | None, status: dict[str, Any] | None) -> None:
        if frame is not None:
            self._frame = frame
        if status is not None:
            self._status = status
        self._wake()

    def _wake(self) -> None:
        for client in self._clients:
            client.news.set()

    async def _say_goodbye(self) -> None:
        for client in list(self._clients):
            await client.socket.close(message=b"the session is over")

    async def _page(self, request: "web.Request") -> "web.Response":
        from aiohttp import web

        self._web.refuse_strangers(request)
        page = resources.files("barkyard.teleop.browser").joinpath("page.html").read_text("utf-8")
        return web.Response(text=page, content_type="text/html", headers=_HEADERS)

    async def _socket(self, request: "web.Request") -> "web.WebSocketResponse":
        from aiohttp import WSMsgType, web

        self._web.refuse_strangers(request, only_pages=True)
        socket = web.WebSocketResponse(max_msg_size=4 * LONGEST, heartbeat=_PATIENCE)
        await socket.prepare(request)
        client = _Client(socket)
        await socket.send_json({"kind": "hello", **self._hello})
        self._clients.append(client)
        if self._driver is None:
            self._driver = client
        self._wake()
        sender = asyncio.create_task(self._send(client))
        try:
            async for received in socket:
                if received.type == WSMsgType.TEXT:
                    self._receive(client, received.data)
        finally:
            sender.cancel()
            self._leave(client)
        return socket

    def _receive(self, client: _Client, text: str) -> None:
        try:
            message, number = parse_message(text)
        except InvalidInput:
            return
        if isinstance(message, Shown):
            client.drawn = max(client.drawn, min(message.frame, client.sent))
            client.news.set()
        elif isinstance(message, Drive):
            if self._driver is None:
                self._driver = client
                self._wake()
        elif client is self._driver:
            self._listener.take(message, number)

    def _leave(self, client: _Client) -> None:
        self._clients.remove(client)
        if client is self._driver:
            self._driver = None
            self._listener.let_go()
        self._wake()

    async def _send(self, client: _Client) -> None:
        """What is new, as far as the page keeps up. `sent` and `drawn` count this page's own frames."""
        shown = 0
        with suppress(ConnectionError):
            while True:
                await client.news.wait()
                client.news.clear()
                status = self._status_for(client)
                if status != client.status:
                    client.status = status
                    await client.socket.send_str(status)
                frame = self._frame
                if frame is not None and frame.number > shown and client.ready():
                    shown, client.sent = frame.number, client.sent + 1
                    await client.socket.send_bytes(Frame(client.sent, frame.applied, frame.jpeg).encode())

    def _status_for(self, client: _Client) -> str:
        drives = client is self._driver
        seats = {"drives": drives, "driven": self._driver is not None, "pages": len(self._clients)}
        return json.dumps({"kind": "status", **seats, **self._status})
