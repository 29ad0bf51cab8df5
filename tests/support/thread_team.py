"""Processes that are threads of this one: a communicator that exchanges messages, and may be slow.

It does what MPI does, over lists in memory, so that a test has as many ranks as it wants in no time.
"""

import threading
import time

import numpy as np

from clearprop.distributed.team import Team

TIMEOUT = 60.0


class _Board:
    """What all ranks see."""

    def __init__(self, size):
        self.slots = [None] * size
        self.meet = threading.Barrier(size, timeout=TIMEOUT)
        self.end = threading.Barrier(size)
        self.letters = [[] for _ in range(size)]


class Threads:
    """One rank. `latency` seconds and `rate` bytes a second are what a message takes."""

    can_watch = True

    def __init__(self, board, rank, latency=0.0, rate=np.inf):
        self.board, self.rank, self.size = board, rank, len(board.slots)
        self.latency, self.rate, self.aborted = latency, rate, None
        self.owed = 0.0  # seconds that its messages have taken

    def _exchange(self, mine):
        board = self.board
        board.slots[self.rank] = mine
        board.meet.wait()
        found = list(board.slots)
        board.meet.wait()
        return found

    def _pay(self, n_messages, n_bytes):
        delay = n_messages * self.latency + n_bytes / self.rate
        self.owed += delay
        if delay:
            time.sleep(delay)

    def everywhere(self, mine, sizes=None):
        found = [each.copy() for each in self._exchange(mine)]
        assert sizes is None or [each.size for each in found] == list(sizes)
        self._pay(self.size - 1, sum(each.size for each in found) - mine.size)
        return found

    def across(self, mine, sizes):
        found = [each[self.rank].copy() for each in self._exchange(list(mine))]
        assert [each.size for each in found] == list(sizes)
        self._pay(self.size - 1, sum(each.size for each in found) - found[self.rank].size)
        return found

    def total(self, mine):
        return np.sum(self._exchange(mine), axis=0, dtype=mine.dtype)

    def settled(self, seconds):
        try:
            self.board.end.wait(min(seconds, TIMEOUT))
        except threading.BrokenBarrierError:
            return False
        return True

    def tell(self, rank, message, must=False):
        self.board.letters[rank].append((self.rank, message))

    def told(self):
        found, self.board.letters[self.rank] = self.board.letters[self.rank], []
        return found

    def abort(self, code):
        self.aborted = code
        self.board.meet.abort()
        raise SystemExit(code)

    def end_within(self, seconds):
        pass


def together(size, work, **how):
    """Return ``work(team)`` of each of `size` ranks; the first problem, by rank, is raised."""
    board, found, problems = _Board(size), [None] * size, {}

    def run(rank):
        try:
            team = Team(Threads(board, rank, **how), timeout=TIMEOUT)
            found[rank] = work(team)
            team.close()
        except BaseException as problem:
            problems[rank] = problem
            board.meet.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for rank in sorted(
        problems, key=lambda r: (isinstance(problems[r], threading.BrokenBarrierError), r)
    ):
        raise problems[rank]
    return found
