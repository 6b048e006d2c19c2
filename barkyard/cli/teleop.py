"""`barkyard teleop`: a person drives a robot and records demonstrations."""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from tyro.conf import Positional, arg

from barkyard.cli.collect import Recording
from barkyard.cli.opening import environment_arguments, make_actor, open_environment
from barkyard.cli.terminal import Json, print_json, print_note, print_text
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from barkyard.teleop import Device, Operator, Session
    from barkyard.teleop.session import Image, Screen, Status
    from barkyard.teleop.spacemouse import Sensitivity

DeviceName = Literal["keyboard", "display", "spacemouse", "browser"]
KEY_SPEED: Final = 0.5
"""Part of the robot's range that a key asks for, unless it is said; a choice."""


def teleop(
    env: Annotated[Positional[str], arg(metavar="ENV")],
    /,
    *,
    out: Annotated[Path, arg(metavar="DIR")],
    device: DeviceName = "keyboard",
    episodes: int = 50,
    seed: int = 0,
    policy: Annotated[str | None, arg(metavar="expert|random|CHECKPOINT")] = None,
    speed: float | None = None,
    keys: Path | None = None,
    dead_zone: float = 0.05,
    scale: tuple[float, ...] = (1.0,) * 6,
    view: str | None = None,
    cameras: tuple[str, ...] = (),
    keep_failures: bool = False,
    host: str = "127.0.0.1",
    port: int = 8765,
    env_kwargs: tuple[str, ...] = (),
    as_json: Json = False,
) -> int:
    """Drive a robot by hand, in real time, and record the episodes. The same command goes on where it was stopped.

    Args:
        env: the environment's id; `barkyard envs` lists them.
        out: the dataset's folder.
        device: what you hold: the keyboard of this terminal, the keyboard of a graphical display, a SpaceMouse, or a
            browser (keyboard, gamepad or SpaceMouse there), which shows the pictures too.
        episodes: how many episodes the dataset is to hold.
        seed: seed of the first episode; the following ones count up.
        policy: acts until you do, and again when you let go.
        speed: the part of the robot's range that full deflection asks for; by default 0.5 with keys, else 1.
        keys: JSON file that changes keys, such as {"schema": 1, "keys": {"w": "forward"}}.
        dead_zone: the part of a SpaceMouse's deflection that counts as none.
        scale: factors for a SpaceMouse's forward, left, up, roll, pitch and yaw; a negative one turns it round.
        view: camera that you look through; by default the task's.
        cameras: names of cameras to record.
        keep_failures: keep episodes that end without success.
        host: address that the browser's page is offered at; keep the default and use ssh -L.
        port: its port; 0 takes any that is free.
        env_kwargs: arguments of the environment, as key=value or a JSON object.
        as_json: print a summary as JSON.
    """
    if episodes < 1:
        raise InvalidInput(f"--episodes is {episodes}; give at least 1")
    arguments = environment_arguments(env_kwargs, cameras)
    with closing(Recording(out, env, keep_failures)) as recording, open_environment(env, 1, arguments) as opened:
        from barkyard.experts.driving import make_operator
        from barkyard.teleop import Session
        from barkyard.teleop.spacemouse import Sensitivity

        opened.reset(seed=seed)
        operator = make_operator(opened, view)
        actor = make_actor(policy, opened)[0] if policy else None
        sensitivity = Sensitivity(dead_zone, scale)
        held, screen = _make_device(device, env, operator, speed, keys, sensitivity, host, port)
        with held:
            print_note(f"{env}, {1 / opened.control_dt:.0f} Hz\n{held.usage()}")
            session = Session(opened, held, operator, recording, screen, policy=actor, camera=view)
            try:
                session.run(recording.next_seed(seed), episodes)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    f"{out} keeps {recording.recount()} finished episodes; the same command goes on from there."
                ) from None
        _report(session, recording, out, as_json)
    return 0


def _make_device(
    name: DeviceName,
    env: str,
    operator: "Operator",
    speed: float | None,
    keys: Path | None,
    sensitivity: "Sensitivity",
    host: str,
    port: int,
) -> "tuple[Device, Screen]":
    from barkyard.teleop.keys import DEFAULT_KEYS, load_keys
    from barkyard.teleop.terminal import TerminalKeyboard

    table = load_keys(keys) if keys else dict(DEFAULT_KEYS)
    part = speed if speed is not None else 1.0 if name == "spacemouse" else KEY_SPEED
    if name == "browser":
        from barkyard.envs.registry import find_entry
        from barkyard.teleop.browser.device import Browser

        goal = find_entry(env).summary
        browser = Browser(table, operator.full, part, sensitivity, title=env, goal=goal, host=host, port=port)
        return browser, browser
    if name == "spacemouse":
        from barkyard.teleop.spacemouse import SpaceMouse
        from barkyard.teleop.together import Together

        mouse = SpaceMouse(operator.full, part, sensitivity)
        if not sys.stdin.isatty():
            return mouse, StatusLine()
        return Together(mouse, TerminalKeyboard(table, operator.full, min(part, KEY_SPEED))), StatusLine()
    if name == "display":
        from barkyard.teleop.display import DisplayKeyboard

        return DisplayKeyboard(table, operator.full, part), StatusLine()
    return TerminalKeyboard(table, operator.full, part), StatusLine()


class StatusLine:
    """The status in one line of the terminal, on standard error. Final."""

    _EVERY: Final = 0.1

    def __init__(self) -> None:
        self._shown, self._text = 0.0, ""

    def show(self, status: "Status", picture: "Callable[[], Image]") -> None:
        """Where standard error is no terminal, a line where the phase or the message changes."""
        del picture
        if not sys.stderr.isatty():
            text = f"[{status.phase}] {status.kept}/{status.wanted} kept; {status.message}"
            if text != self._text:
                print_note(text)
            self._text = text
            return
        now = time.monotonic()
        if now - self._shown >= self._EVERY:
            self._shown = now
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{status_text(status)[:width]}", end="", file=sys.stderr, flush=True)


def status_text(status: "Status") -> str:
    """One line."""
    what = "enter: start" if status.phase == "waiting" else f"{status.seconds:5.1f} s"
    words = [f"{status.kept}/{status.wanted} kept", what, "SUCCESS" if status.success else "", status.actor]
    if status.asked is not None:
        words.append("asked " + " ".join(f"{value:+.1f}" for value in status.asked))
    if status.latency is not None:
        words.append(f"{1000 * status.latency:.0f} ms")
    return " | ".join(word for word in [*words, status.message] if word)


def _report(session: "Session", recording: Recording, out: Path, as_json: bool) -> None:
    latency = np.percentile(session.latencies, [50, 95]).tolist() if session.latencies else None
    summary: dict[str, Any] = {
        "path": str(out),
        "episodes": recording.kept,
        "recorded": recording.recorded,
        "latency_s": latency,
        "pace": session.pace.report(),
        "warnings": session.warnings,
    }
    if as_json:
        print_json(summary)
        return
    lines = [f"{out} holds {recording.kept} episodes, {recording.recorded} of them new"]
    if summary["pace"]:
        pace = summary["pace"]
        lines.append(
            f"{pace['rate_hz']:.1f} Hz; 95 % of the periods within {1000 * pace['jitter_s']:.1f} ms; "
            f"{pace['late']:.1%} late"
        )
    if latency:
        lines.append(f"input to action: {1000 * latency[0]:.0f} ms median, {1000 * latency[1]:.0f} ms at 95 %")
    print_text("\n".join([*lines, *(f"warning: {warning}" for warning in session.warnings)]))
