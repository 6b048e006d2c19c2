"""Requests of many clients in one inference."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Timing:
    """How long an answer took.

    Attributes:
        waited: from asking until its inference began [s].
        inferred: the inference [s].
        batch: how many were answered by it.
    """

    waited: float
    inferred: float
    batch: int


class Batcher(Generic[Question, Answer]):
    """Answers what has come in while the last inference ran, all at once. Nobody waits for others to ask.

    Args:
        answer: answers many questions at once, in their order; called in a thread of its own.
        most: questions at a time.

    Attributes:
        batches: inferences so far.
        answered: questions so far.
    """

    def __init__(self, answer: Callable[[Sequence[Question]], Sequence[Answer]], most: int) -> None:
        self._answer, self._most = answer, most
        self._waiting: list[tuple[Question, asyncio.Future[tuple[Answer, Timing]], float]] = []
        self._worker = ThreadPoolExecutor(1, "inference")
        self._task: asyncio.Task[None] | None = None
        self._began: float | None = None
        self.batches = self.answered = 0

    async def ask(self, question: Question) -> tuple[Answer, Timing]:
        """The answer. Raises what `answer` raises for this question alone."""
        future: asyncio.Future[tuple[Answer, Timing]] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future, time.perf_counter()))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await future

    def busy(self) -> float:
        """How long the present inference has been running [s]."""
        return 0.0 if self._began is None else time.perf_counter() - self._began

    def close(self) -> None:
        """Let the thread end."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = [entry for entry in self._waiting[: self._most] if not entry[1].cancelled()]
                del self._waiting[: self._most]
                if not batch:
                    continue
                self._began = began = time.perf_counter()
                questions = [question for question, _, _ in batch]
                results = await asyncio.get_running_loop().run_in_executor(self._worker, self._try_all, questions)
                self._began, seconds = None, time.perf_counter() - began
                self.batches, self.answered = self.batches + 1, self.answered + len(batch)
                for (_, future, asked), result in zip(batch, results, strict=True):
                    if future.cancelled():
                        continue
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result((result, Timing(began - asked, seconds, len(batch))))
        finally:
            self._task = None

    def _try_all(self, questions: Sequence[Question]) -> "Sequence[Answer | Exception]":
        """The answers; where they fail together each is tried alone, so that one client's trouble is its own."""
        try:
            return self._answer(questions)
        except Exception as error:
            return [error] if len(questions) == 1 else [self._try_all([question])[0] for question in questions]
