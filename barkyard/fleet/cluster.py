"""Items on a Ray cluster."""

import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from barkyard.errors import BarkyardError
from barkyard.fleet.plan import Item, Perform, Plan

AHEAD: Final = 2
"""Items given to the cluster for each of its cores, so that no core waits for the next; a choice."""
_LOOK_EVERY: Final = 1.0


class RayBackend:
    """Items as tasks of one core each, wherever the cluster has room. Final.

    Only paths and seeds go through Ray. Every node needs the same Barkyard, and sees the folder of the results.

    Args:
        address: of the cluster; `auto` for the one that this machine is in.
        timeout: seconds that an item may take once it runs.

    Raises:
        BarkyardError: Ray is absent, or there is no such cluster.
    """

    def __init__(self, address: str, timeout: float) -> None:
        try:
            import ray
        except ImportError as error:
            raise BarkyardError(f"a cluster needs Ray ({error}): pip install 'barkyard[fleet]'") from None
        self._ray: Any = ray
        self._timeout = timeout
        if not ray.is_initialized():
            try:
                ray.init(address=address, log_to_driver=False, configure_logging=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise BarkyardError(
                    f"no Ray cluster at {address!r}: {error}. Begin one with: ray start --head"
                ) from error

    def do(self, plan: Plan, items: Iterator[Item]) -> Iterator[tuple[Item, str]]:
        """See `Backend`."""
        ray = self._ray
        remote = ray.remote(num_cpus=1, max_retries=0)(_perform)
        running: dict[Any, tuple[Item, float]] = {}
        try:
            while True:
                room = max(1, AHEAD * int(ray.cluster_resources().get("CPU", 1))) - len(running)
                for _ in range(room):
                    item = next(items, None)
                    if item is None:
                        break
                    reference = remote.remote(plan.perform, item.work, item.seeds, str(item.target))
                    running[reference] = (item, time.monotonic())
                if not running:
                    return
                done, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK_EVERY)
                for reference in done:
                    yield running.pop(reference)[0], self._reason(reference)
                yield from self._overdue(running)
        finally:
            for reference in running:
                with suppress(Exception):
                    ray.cancel(reference, force=True)

    def _reason(self, reference: Any) -> str:
        try:
            reason: str = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # the worker or its machine is gone
            return f"its worker died: {type(error).__name__}: {error}"
        return reason

    def _overdue(self, running: dict[Any, tuple[Item, float]]) -> Iterator[tuple[Item, str]]:
        """Twice the time, for an item may first have waited as long for its core."""
        limit = time.monotonic() - AHEAD * self._timeout
        for reference in [reference for reference, (_, given) in running.items() if given < limit]:
            item, _ = running.pop(reference)
            self._ray.cancel(reference, force=True)
            yield item, f"its worker did not end within {self._timeout} s, and was killed"


def _perform(perform: Perform, work: Any, seeds: tuple[int, ...], target: str) -> str:
    try:
        perform(work, seeds, Path(target))
    except Exception:
        return traceback.format_exc()
    return ""
