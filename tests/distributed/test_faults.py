"""What ends all processes: one that is killed, stopped or stuck, or has an error of its own."""

import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest

import clearprop as cp
from clearprop.distributed.faults import STEP, WAITING, Heart
from launching import HERE, mpiexec, needs_mpi
from thread_team import Threads, _Board, together


def faults(number, seed):
    command = [sys.executable, HERE / "fault_harness.py", str(number), "--seed", str(seed)]
    found = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@needs_mpi
def test_killed_and_stopped_processes_end_all_and_what_goes_on_has_the_same_bits():
    counted = faults(6, 1)
    assert counted["killed"] + counted["stopped"] == 6
    assert min(counted["killed"], counted["stopped"]) > 0


@needs_mpi
@pytest.mark.slow
def test_two_hundred_faults_leave_no_hang():
    counted = faults(200, 2)
    assert counted["killed"] + counted["stopped"] == 200


PROGRAM = r"""
import sys, time
import numpy as np
from mpi4py import MPI
import clearprop as cp

what, rank = sys.argv[1], MPI.COMM_WORLD.rank
X, y = np.arange(80.0).reshape(40, 2) / 80, np.arange(40) % 2
how = {}
if what == "slow":  # longer than the timeout, but no step
    how["callbacks"] = [lambda training: time.sleep(1.6 if rank else 0)]
if what == "error":
    how["callbacks"] = [lambda training: 1 / 0 if rank else None]
if what == "differs":
    how["l2"] = 0.1 * rank
try:
    cp.Network([2, 3, 2], seed=0).fit(
        X, y, epochs=2, shards=4, batch_size=10, engine="numpy", progress=False,
        communicator=MPI.COMM_WORLD, stall_timeout=1, **how,
    )
except ValueError as problem:
    sys.stderr.write(f"raised: {problem}\n")  # at once: what several processes write is mixed in pieces
    MPI.COMM_WORLD.Barrier()  # mpiexec ends those that are late
    sys.exit(1)
if rank == 0:
    print("done")
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@needs_mpi
def test_who_is_busy_with_something_else_for_longer_than_the_timeout_is_no_stall(program):
    found = mpiexec(2, program, "slow")
    assert (found.returncode, found.stdout) == (0, "done\n"), found.stderr


@needs_mpi
def test_an_error_of_one_process_ends_all_with_its_sentence(program):
    found = mpiexec(2, program, "error")
    assert found.returncode != 0
    assert re.search(r"clearprop: rank 1 on \S+: division by zero", found.stderr)


@needs_mpi
def test_an_error_of_all_is_raised_in_all_of_them(program):
    found = mpiexec(2, program, "differs")
    assert found.returncode != 0
    said = "raised: all processes must have the same program, arguments and data; rank 1"
    assert found.stderr.count(said) == 2
    assert "argument l2 0.1 (rank 0 on" in found.stderr


class Ended(Exception):
    """All processes were ended."""


def heart(rank, board, said, timeout=1.0):
    """Return a heart that does not beat by itself: the test is its clock."""
    communicator = Threads(board, rank)
    communicator.can_watch = False

    def abort(code):
        raise Ended

    communicator.abort = abort
    return Heart(communicator, ["a", "b", "c"], timeout, said.append)


def test_a_process_that_does_not_end_its_step_is_named_and_one_that_reads_is_not():
    board, said = _Board(3), []
    first, second, third = (heart(rank, board, said) for rank in range(3))
    second.step = 17
    began = time.monotonic()
    with second.doing("reading"), third.doing(STEP):
        third._begin(STEP)
        for after in (0.2, 0.5):
            for each in (first, second, third):
                each._beat(began + after)
                each._hear(began + after)
                each._look(began + after)
        assert said == []
        for each in (second, third):
            each._beat(began + 0.9)
        first._hear(began + 0.9)
        with pytest.raises(Ended):
            first._look(began + 0.9)
    assert len(said) == 1
    assert re.match(r"rank 2 on c has not come to the end of its step for 0\.\d+ s, at step 0", said[0])


@pytest.mark.parametrize("waits", [0, 2])
def test_one_that_has_left_is_named_where_another_waits_for_it(waits):
    board, said = _Board(3), []
    hearts = [heart(rank, board, said) for rank in range(3)]
    hearts[1].leave()
    began = time.monotonic()
    for each in hearts:
        each._since = began

    def pass_by(seconds):
        for each in hearts:
            each._beat(began + seconds)
        hearts[0]._hear(began + seconds)
        hearts[0]._look(began + seconds)

    for seconds in (0.3, 0.6, 0.9):  # it may have been the last call, after which the others work on
        pass_by(seconds)
    assert said == []
    with hearts[waits].doing(WAITING):
        hearts[waits]._since = began + 1.0
        pass_by(1.5)
        assert said == []
        with pytest.raises(Ended):
            pass_by(1.9)
    assert len(said) == 1
    assert said[0].startswith(f"rank 1 on b has ended, and rank {waits} waits for it, at step 0")


def test_where_rank_0_is_silent_another_says_it():
    said = []
    second = heart(1, _Board(2), said)
    with pytest.raises(Ended):
        second._look(time.monotonic() + 0.9)
    assert re.match(r"rank 0 on a has given no sign of life for 0\.9 s, at step 0", said[0])


def test_of_two_errors_the_first_is_said():
    board, said = _Board(3), []
    first = heart(0, board, said)
    for rank in (2, 1):
        message = json.dumps({"failed": f"rank {rank} on x: the disk is full", "code": 1})
        first.communicator.board.letters[0].append((rank, message.encode()))
    with pytest.raises(Ended):
        first._hear(time.monotonic())
    assert said == ["rank 2 on x: the disk is full"]


@pytest.mark.parametrize("writer", [None, 0], ids=["none", "of the first"])
def test_a_checkpoint_is_told_of_where_there_is_one(writer):
    board, said = _Board(2), []
    first, second = (heart(rank, board, said) for rank in range(2))
    first.has_checkpoint = writer == 0
    began = time.monotonic()
    first._beat(began)
    second._hear(began)
    with pytest.raises(Ended):
        second._look(began + 2)
    assert said[0].endswith("--resume goes on from it") == first.has_checkpoint
    assert "has given no sign of life for 2 s" in said[0]


def test_a_training_tells_the_others_that_it_has_a_checkpoint(tmp_path):
    X, y = np.arange(80.0).reshape(40, 2) / 80, np.arange(40) % 2

    def work(team):
        found = []
        for path in (None, tmp_path / "c", None):
            how = {"epochs": 1, "shards": 4, "engine": "numpy", "progress": False, "checkpoint": path}
            cp.Network([2, 3, 2], seed=0).fit(X, y, communicator=team, **how)
            found.append(team.heart.has_checkpoint)
        return found

    assert together(2, work) == [[False, True, False], [False, False, False]]
