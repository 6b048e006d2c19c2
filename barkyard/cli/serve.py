"""`barkyard serve`: a policy for robots that ask over the network."""

import signal
from pathlib import Path
from threading import Event
from typing import Annotated

from tyro.conf import Positional, arg

from barkyard.cli.terminal import Json, print_json, print_note


def serve(
    checkpoint: Annotated[Positional[Path], arg(metavar="CHECKPOINT")],
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8766,
    token_file: Annotated[Path | None, arg(metavar="FILE")] = None,
    device: str = "cpu",
    as_json: Json = False,
) -> int:
    """Serve a policy over a WebSocket until Ctrl-C; docs/serving.md has a robot's control loop.

    Args:
        checkpoint: a checkpoint, or the folder of a training run.
        host: address to listen at. Nothing is encrypted: keep the default and use ssh -L.
        port: its port; 0 takes any that is free.
        token_file: file with the token that clients need, made if absent; a new token at every start unless given.
        device: torch device.
        as_json: print the address and the token as JSON.
    """
    from barkyard.serving.server import PolicyServer, read_token

    token = None if token_file is None else read_token(token_file)
    ended = Event()
    previous = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with PolicyServer(checkpoint, host=host, port=port, token=token, device=device) as server:
            if as_json:
                print_json({"url": server.url, "token": server.token})
            else:
                shown = f"in {token_file}" if token_file is not None else server.token
                print_note(f"{checkpoint} at {server.url}, health at /healthz\ntoken: {shown}")
            ended.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0
