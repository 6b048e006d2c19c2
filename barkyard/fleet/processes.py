"""Items in this process, and in processes of this machine."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from barkyard.fleet.plan import Item, Plan

_SPAWN = multiprocessing.get_context("spawn")
"""A fresh interpreter each: threads and OpenGL do not outlive a fork."""


class LocalBackend:
    """One item after another, here. Final."""

    def do(self, plan: Plan, items: Iterator[Item]) -> Iterator[tuple[Item, str]]:
        """See `Backend`."""
        for item in items:
            try:
                plan.perform(item.work, item.seeds, item.target)
            except Exception:
                yield item, traceback.format_exc()
            else:
                yield item, ""


class ProcessBackend:
    """Worker processes, one item each at a time. One that dies or hangs is replaced. Final.

    Args:
        workers: how many.
        timeout: seconds that an item may take.
    """

    def __init__(self, workers: int, timeout: float) -> None:
        self._count, self._timeout = workers, timeout

    def do(self, plan: Plan, items: Iterator[Item]) -> Iterator[tuple[Item, str]]:
        """See `Backend`."""
        workers: list[_Worker] = []
        try:
            while True:
                workers = [worker for worker in workers if worker.item is not None or worker.give(next(items, None))]
                while len(workers) < self._count and (item := next(items, None)) is not None:
                    worker = _Worker.start(plan)
                    worker.give(item)
                    workers.append(worker)
                if not workers:
                    return
                ready = wait([worker.connection for worker in workers], self._patience(workers))
                for worker in list(workers):
                    late = time.monotonic() > worker.given + self._timeout
                    if worker.connection not in ready and not late:
                        continue
                    item, reason = worker.take() if worker.connection in ready else worker.give_up(self._timeout)
                    if worker.item is not None:  # it is gone
                        workers.remove(worker)
                    yield item, reason
        finally:
            for worker in workers:
                worker.kill()

    def _patience(self, workers: "list[_Worker]") -> float:
        return max(0.0, min(worker.given for worker in workers) + self._timeout - time.monotonic()) + 0.01


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: "Connection[Item | None, str]"
    item: Item | None = None
    given: float = 0.0

    @classmethod
    def start(cls, plan: Plan) -> "_Worker":
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs, plan.perform), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, item: Item | None) -> bool:
        """Give it its next item; without one it ends."""
        self.item, self.given = item, time.monotonic()
        try:
            self.connection.send(item)
        except OSError:
            if item is not None:
                return True  # it died between two items; `take` will say so
        if item is None:
            self.process.join()
            self.connection.close()
        return item is not None

    def take(self) -> tuple[Item, str]:
        item = self.item
        assert item is not None
        try:
            reason = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            self.kill()
            return item, f"its worker died: {how}"
        self.item = None
        return item, reason

    def give_up(self, timeout: float) -> tuple[Item, str]:
        assert self.item is not None
        self.kill()
        return self.item, f"its worker did not end within {timeout} s, and was killed"

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _end_with_parent() -> None:
    """In the middle of an item too: nobody would wait for it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _serve(connection: "Connection[str, Item | None]", perform: object) -> None:
    """The worker: items in, reasons out; ends with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives items
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch is not imported yet; the workers share the cores
    assert callable(perform)
    try:
        while (item := connection.recv()) is not None:
            try:
                perform(item.work, item.seeds, item.target)
            except Exception:
                connection.send(traceback.format_exc())
            else:
                connection.send("")
    except (EOFError, BrokenPipeError):
        return
