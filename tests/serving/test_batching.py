"""Many questions in one inference."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from barkyard.serving.batching import Batcher


def test_what_comes_while_it_works_is_answered_together() -> None:
    seen: list[list[int]] = []

    def answer(questions: Sequence[int]) -> list[int]:
        seen.append(list(questions))
        time.sleep(0.02)
        return [10 * question for question in questions]

    async def ask() -> list[int]:
        batcher = Batcher(answer, most=3)
        first = asyncio.create_task(batcher.ask(0))
        await asyncio.sleep(0.005)
        assert 0.0 < batcher.busy() < 1.0
        rest = await asyncio.gather(*(batcher.ask(number) for number in range(1, 6)))
        answered, timing = await first
        assert (answered, timing.batch) == (0, 1) and timing.inferred >= 0.02
        assert [timing.batch for _, timing in rest] == [3, 3, 3, 2, 2]
        assert rest[0][1].waited > 0.005
        assert (batcher.batches, batcher.answered, batcher.busy()) == (3, 6, 0.0)
        batcher.close()
        return [result for result, _ in rest]

    assert asyncio.run(ask()) == [10, 20, 30, 40, 50]
    assert seen == [[0], [1, 2, 3], [4, 5]]


def test_one_that_fails_fails_alone() -> None:
    def answer(questions: Sequence[int]) -> list[int]:
        if 2 in questions:
            raise ValueError("two")
        return list(questions)

    async def ask() -> list[object]:
        batcher = Batcher(answer, most=8)
        results = await asyncio.gather(*(batcher.ask(number) for number in range(4)), return_exceptions=True)
        batcher.close()
        return [result if isinstance(result, BaseException) else result[0] for result in results]

    results = asyncio.run(ask())
    assert [results[i] for i in (0, 1, 3)] == [0, 1, 3]
    assert isinstance(results[2], ValueError)


def test_a_question_that_nobody_waits_for_any_more_is_left_out() -> None:
    seen: list[int] = []

    def answer(questions: Sequence[int]) -> list[int]:
        seen.extend(questions)
        time.sleep(0.01)
        return list(questions)

    async def ask() -> None:
        batcher = Batcher(answer, most=8)
        first, second = (asyncio.create_task(batcher.ask(number)) for number in (1, 2))
        await asyncio.sleep(0)
        second.cancel()
        assert (await first)[0] == 1
        with pytest.raises(asyncio.CancelledError):
            await second
        batcher.close()

    asyncio.run(ask())
    assert seen in ([1], [1, 2])
