"""Doing a plan: what is on disk is not done again, what fails is tried again, and the rest goes on."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final, cast

from barkyard.errors import InvalidInput
from barkyard.fleet.plan import Backend, Failure, Item, Plan
from barkyard.fleet.processes import LocalBackend, ProcessBackend

TRIES: Final = 3
TIMEOUT: Final = 3600.0
"""Seconds that an item may take, unless told otherwise."""
BACKENDS: Final = ("local", "processes", "ray")


def run(
    plan: Plan,
    backend: Backend,
    *,
    tries: int = TRIES,
    on_item: Callable[[Item], None] | None = None,
    wanted: Callable[[Item], bool] = lambda item: True,
) -> Iterator[Item | Failure]:
    """Do a plan.

    Args:
        plan: what is to be done.
        backend: who does it.
        tries: an item that failed so often is given up.
        on_item: called with each item when it is done, in any order; for progress.
        wanted: asked before an item is begun; one that is not wanted any more is left out.

    Yields:
        Every item in the plan's order, once its result is there; or its failure.
    """
    ended: dict[int, Item | Failure | None] = {item.number: item for item in plan.items if item.target.exists()}
    if on_item is not None:
        for item in list(ended.values()):
            on_item(cast(Item, item))
    queue = deque(item for item in plan.items if item.number not in ended)
    failed: dict[int, int] = {}
    following = 0

    def waiting() -> Iterator[Item]:
        while queue:
            item = queue.popleft()
            if wanted(item):
                yield item
            else:
                ended[item.number] = None

    def in_order() -> Iterator[Item | Failure]:
        nonlocal following
        while following in ended:
            outcome = ended.pop(following)
            following += 1
            if outcome is not None:
                yield outcome

    while following < len(plan.items):
        yield from in_order()
        with closing(cast(Any, backend.do(plan, waiting()))) as outcomes:
            for item, reason in outcomes:
                if not reason and not item.target.exists():
                    reason = f"it left no result at {item.target}; do all machines see that folder?"
                if reason:
                    failed[item.number] = count = failed.get(item.number, 0) + 1
                    if count < tries:
                        queue.append(item)
                        continue
                    ended[item.number] = Failure(item, count, reason)
                else:
                    ended[item.number] = item
                    if on_item is not None:
                        on_item(item)
                yield from in_order()


def make_backend(name: str, *, workers: int, address: str = "auto", timeout: float = TIMEOUT) -> Backend:
    """A backend by name.

    Args:
        name: one of `BACKENDS`.
        workers: processes on this machine; items at a time and a node in a cluster come from its cores.
        address: of a Ray cluster; `auto` finds the one that this machine is in.
        timeout: seconds that an item may take.

    Raises:
        InvalidInput: there is no such backend, or the numbers are not positive.
        BarkyardError: Ray is absent, or there is no cluster.
    """
    if workers < 1 or not timeout > 0:
        raise InvalidInput(f"workers {workers} and timeout {timeout} must be positive")
    if name == "local":
        return LocalBackend()
    if name == "processes":
        return ProcessBackend(workers, timeout)
    if name == "ray":
        from barkyard.fleet.cluster import RayBackend

        return RayBackend(address, timeout)
    raise InvalidInput(f"backend {name!r} is not one of {', '.join(BACKENDS)}")
