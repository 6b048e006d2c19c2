"""Commands of `barkyard` in processes that can be killed, and small disks that can be full.

A process is forked from this one, which has imported all that the commands need, so that faults fall into their work
and not into the imports. What it says goes to a file.
"""

import importlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from barkyard.cli.main import main as barkyard

IMPORTED: Final = (
    "aiohttp.web",
    "barkyard.envs.tasks.locomotion.velocity",
    "barkyard.evaluation.evaluate",
    "barkyard.fleet.work",
    "barkyard.policies.diffusion.policy",
    "barkyard.policies.locomotion.policy",
    "barkyard.policies.train",
    "barkyard.serving.server",
    "torch.utils.tensorboard",
)
PATIENCE: Final = 600.0
"""Seconds after which a command is called stuck."""


@dataclass
class Command:
    """A command that was begun.

    Attributes:
        pid: of its process.
        says: the file with its output.
        began: when, on `time.monotonic`.
        code: how it ended, -9 by SIGKILL; None while it runs.
    """

    pid: int
    says: Path
    began: float
    code: int | None = None

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Its exit code, or None where it has not ended by then."""
        end = time.monotonic() + seconds
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                break
            else:
                time.sleep(0.002)
        return self.code

    def kill(self) -> bool:
        """SIGKILL; whether it was still running."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def finish(self, *codes: int) -> str:
        """Wait for one of these exit codes, 0 unless told otherwise, and return what it said.

        Raises:
            AssertionError: it ended otherwise, or not at all.
        """
        code, said = self.wait(), self.says.read_text()
        if code not in (codes or (0,)):
            self.kill()
            raise AssertionError(f"a command ended with {code}, not {codes or (0,)}: {said[-3000:]}")
        return said


def prepare() -> None:
    """Import what the commands import, so that forked processes need not."""
    for name in IMPORTED:
        importlib.import_module(name)


def begin(words: Sequence[object], says: Path, before: Callable[[], None] | None = None) -> Command:
    """Begin `barkyard WORDS`.

    Args:
        words: of the command.
        says: the file for its output.
        before: called in its process first.
    """
    sys.stdout.flush()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become([str(word) for word in words], says, before)
    return Command(pid, says, began)


def _become(words: list[str], says: Path, before: Callable[[], None] | None) -> None:
    code = 70
    try:
        output = os.open(says, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if before is not None:
            before()
        code = barkyard(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Callable[[str], None]]:
    """A disk of its own at `folder`, with something that changes its options, as `size=900k` or `ro`.

    Raises:
        PermissionError: mounting takes root.
    """
    if os.geteuid() != 0:
        raise PermissionError("mounting takes root")

    def mount(options: str, *words: str) -> None:
        done = subprocess.run(["mount", "-o", options, *words, str(folder)], capture_output=True, text=True)
        if done.returncode:
            raise PermissionError(done.stderr.strip())

    folder.mkdir(parents=True, exist_ok=True)
    mount(f"size={kilobytes}k", "-t", "tmpfs", "tmpfs")
    try:
        yield lambda options: mount(f"remount,{options}")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
