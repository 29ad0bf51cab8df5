"""Requests that wait for an answer are answered together, each as it would be alone.

Nobody waits for others to come: what has come while the loop was busy goes through the network at once.
Requests of many rows go to a thread, so that those of single rows do not wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from clearprop.serving.answers import Answers, Row
from clearprop.serving.limits import MOST_WAITING, Refused

_FEW = 64  # rows that are answered by the loop itself

Said = list[dict[str, Any]]


class _Waiting(NamedTuple):
    rows: Sequence[Row]
    future: asyncio.Future[Said]


class Gathering:
    """Answers requests, as many together as are there.

    Parameters
    ----------
    answers : Answers
        May be exchanged: what is asked from then on is asked of the new one.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._waiting: list[_Waiting] = []
        self._n_rows = 0
        self._large = asyncio.Semaphore(1)

    async def ask(self, rows: Sequence[Row]) -> Said:
        """Return what is said of rows.

        Raises
        ------
        Refused
            If the model does not take them, or too many rows wait.
        """
        if self._n_rows + len(rows) > MOST_WAITING:
            raise Refused(503, "too many rows wait to be answered: ask again later")
        self._n_rows += len(rows)
        try:
            if len(rows) > _FEW:
                async with self._large:
                    return await asyncio.to_thread(_alone, self.answers, rows)
            loop = asyncio.get_running_loop()
            if not self._waiting:
                loop.call_soon(self._answer_all)
            future: asyncio.Future[Said] = loop.create_future()
            self._waiting.append(_Waiting(rows, future))
            return await future
        finally:
            self._n_rows -= len(rows)

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        taken, inputs = [], []
        for each in waiting:
            try:
                inputs.append(self.answers.inputs(each.rows))
                taken.append(each)
            except Exception as problem:
                _tell(each.future, problem)
        if not taken:
            return
        try:
            said = self.answers.answer(np.concatenate(inputs))
        except Exception as problem:  # nobody is to wait for ever
            for each in taken:
                _tell(each.future, problem)
            return
        first = 0
        for each in taken:
            if not each.future.done():  # its client may have gone
                each.future.set_result(said[first : first + len(each.rows)])
            first += len(each.rows)


def _alone(answers: Answers, rows: Sequence[Row]) -> Said:
    return answers.answer(answers.inputs(rows))


def _tell(future: asyncio.Future[Said], problem: Exception) -> None:
    if not future.done():
        future.set_exception(problem)
