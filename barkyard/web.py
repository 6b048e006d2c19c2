"""A web server on a thread of its own: one port, loopback unless told otherwise, and a token."""

import asyncio
import hmac
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from barkyard.errors import BarkyardError

if TYPE_CHECKING:
    from aiohttp import web

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]

LOOPBACK: Final = "127.0.0.1"
_PATIENCE: Final = 10.0


class WebServer:
    """Answers requests from a thread of its own. Final.

    Args:
        routes: what answers a GET, by path.
        host: address to listen at.
        port: 0 takes any that is free.
        extra: the extra that installs aiohttp, for the message where it is absent.
        token: the secret; a new one unless given.
        before_end: awaited when the server stops, before its connections are cut.

    Attributes:
        loop: runs the handlers.
        port: where it listens, once started.
        token: the secret, of 128 bits if it is new.
    """

    def __init__(
        self,
        routes: Mapping[str, Handler],
        host: str,
        port: int,
        *,
        extra: str,
        token: str | None = None,
        before_end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._routes, self._extra, self._before_end = dict(routes), extra, before_end
        self.host, self.port, self.token = host, port, token or secrets.token_urlsafe(16)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="web server", daemon=True)
        self._started, self._failure = threading.Event(), ""
        self._end = asyncio.Event()

    def start(self) -> None:
        """Listen. Raises BarkyardError where aiohttp is absent or the port is taken."""
        self._thread.start()
        self._started.wait(_PATIENCE)
        if self._failure:
            raise BarkyardError(self._failure)

    def stop(self) -> None:
        """Close all connections and the port."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._end.set)
            self._thread.join(_PATIENCE)

    def refuse_strangers(self, request: "web.Request", *, only_pages: bool = False) -> None:
        """Raise HTTPForbidden unless the request holds the token and does not come from another site's page.

        The token is either the address's `token`, or in the header `Authorization: Api-Key TOKEN`.

        Args:
            request: what came.
            only_pages: refuse programs too; they name no site as their origin.
        """
        from aiohttp import web

        given = request.query.get("token") or request.headers.get("Authorization", "").removeprefix("Api-Key ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise web.HTTPForbidden(text="This address lacks its token; open the one that was printed.")
        origin = request.headers.get("Origin", "" if only_pages else None)
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="Another site's page may not do this.")

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._run())
        except ImportError as error:
            self._failure = f"this server needs aiohttp ({error}): pip install 'barkyard[{self._extra}]'"
        except OSError as error:
            self._failure = f"cannot listen at {self.host}:{self.port}: {error.strerror}; --port 0 takes a free port"
        finally:
            self._started.set()
            self.loop.close()

    async def _run(self) -> None:
        from aiohttp import web

        application = web.Application()
        for path, handler in self._routes.items():
            application.router.add_get(path, handler)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port)
            await site.start()
            self.port = runner.addresses[0][1]
            self._started.set()
            await self._end.wait()
            if self._before_end is not None:
                await self._before_end()
        finally:
            await runner.cleanup()
