"""A file is replaced whole or not at all, whatever fails, and by one run at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearprop.checkpoint import CheckpointError, WriterLock, atomic_file, read_tensors, write_tensors
from model_file_forge import (
    FAULTS,
    NEW,
    OLD,
    FaultyOS,
    assert_alone,
    assert_holds,
    run_python,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_a_new_file_gets_the_mode_that_the_umask_gives(path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_tensors(path, OLD, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_of_an_old_file_is_kept(path: Path, mode: int) -> None:
    write_tensors(path, OLD, {})
    path.chmod(mode)
    write_tensors(path, NEW, {})
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link, second = tmp_path / "elsewhere" / "target", tmp_path / "link", tmp_path / "second"
    link.symlink_to("elsewhere/target")
    second.symlink_to(link)
    for tensors in (OLD, NEW):  # the first time it dangles
        write_tensors(second, tensors, {})
        assert link.is_symlink()
        assert second.is_symlink()
        assert_holds(target, tensors)
    assert os.listdir(tmp_path / "elsewhere") == ["target"]


def test_another_hard_link_keeps_the_old_content(path: Path, tmp_path: Path) -> None:
    write_tensors(path, OLD, {})
    os.link(path, tmp_path / "other")
    write_tensors(path, NEW, {})
    assert_holds(tmp_path / "other", OLD)
    assert_holds(path, NEW)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_keeps_the_owner_of_a_file(path: Path) -> None:
    write_tensors(path, OLD, {})
    os.chown(path, 12345, 12346)
    path.chmod(0o640)
    write_tensors(path, NEW, {})
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 12346, 0o640)


@pytest.mark.parametrize(("group_kept", "mode"), [(True, 0o664), (False, 0o644)])
def test_a_group_that_cannot_be_kept_gives_the_new_group_no_more_than_everybody(
    path: Path, monkeypatch: pytest.MonkeyPatch, group_kept: bool, mode: int
) -> None:
    class Elsewhere(FaultyOS):
        def stat(self, name: str) -> os.stat_result:
            return os.stat_result([*os.stat(name)[:4], 4711, 4712, *os.stat(name)[6:10]])

        def fchown(self, descriptor: int, owner: int, group: int) -> None:
            assert group == 4712
            if owner != -1 or not group_kept:
                raise PermissionError(errno.EPERM, "Operation not permitted")

    write_tensors(path, OLD, {})
    path.chmod(0o664)
    monkeypatch.setattr(atomic_file, "os", Elsewhere())
    write_tensors(path, NEW, {})
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_read_only_file_is_not_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidding(FaultyOS):
        def access(self, name: str, mode: int) -> bool:  # root may do everything, so ask in its place
            return bool(mode == os.W_OK and os.stat(name).st_mode & 0o200)

    write_tensors(path, OLD, {})
    monkeypatch.setattr(atomic_file, "os", Forbidding())
    write_tensors(path, OLD, {})
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"could not save \d+ bytes \(the file is read-only\)"):
        write_tensors(path, NEW, {})
    assert_holds(path, OLD)
    assert_alone(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_an_error_that_names_the_path(path: Path) -> None:
    write_tensors(path, OLD, {})
    path.parent.chmod(0o555)
    try:
        with pytest.raises(PermissionError, match="could not save"):
            write_tensors(path, NEW, {})
    finally:
        path.parent.chmod(0o755)
    assert_holds(path, OLD)


def calls_of_a_save(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    layer = FaultyOS()
    with monkeypatch.context() as patch:
        patch.setattr(atomic_file, "os", layer)
        patch.setattr(atomic_file, "_WRITE_CHUNK", 4096)
        write_tensors(path, NEW, {})
    return layer.calls


def test_the_order_is_write_sync_rename_sync_of_the_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tensors(path, OLD, {})
    calls = calls_of_a_save(path, monkeypatch)
    folder, temporary = (arguments[0] for name, arguments in calls if name == "open")
    assert folder == str(path.parent)
    assert Path(temporary).parent == path.parent
    names = [name for name, _ in calls]
    kept = [name for name in names if name in ("write", "fsync", "replace")]
    assert kept == ["write"] * kept.count("write") + ["fsync", "replace", "fsync"]
    assert kept.count("write") >= 5
    assert ("replace", (temporary, str(path))) in calls
    file_descriptor, folder_descriptor = (arguments[0] for name, arguments in calls if name == "fsync")
    assert {arguments[0] for name, arguments in calls if name == "write"} == {file_descriptor}
    assert ("close", (folder_descriptor,)) in calls


def test_without_sync_nothing_waits_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = FaultyOS()
    monkeypatch.setattr(atomic_file, "os", layer)
    write_tensors(path, NEW, {}, sync=False)
    assert "fsync" not in [name for name, _ in layer.calls]
    assert_holds(path, NEW)


@pytest.mark.parametrize("fault", FAULTS, ids=errno.errorcode.get)
def test_a_fault_of_any_call_leaves_the_old_file_whole_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    write_tensors(path, OLD, {})
    calls = calls_of_a_save(path, monkeypatch)
    renamed = [name for name, _ in calls].index("replace")
    monkeypatch.setattr(atomic_file, "_WRITE_CHUNK", 4096)
    for number in range(len(calls)):

        def fail(current: int, name: str, number: int = number) -> None:
            if current == number:
                raise OSError(fault, os.strerror(fault))

        shutil.rmtree(path.parent)
        path.parent.mkdir()
        write_tensors(path, OLD, {})
        with monkeypatch.context() as patch:
            patch.setattr(atomic_file, "os", FaultyOS(fail))
            with pytest.raises(OSError, match=r"could not save \d{4} bytes") as caught:
                write_tensors(path, NEW, {})
        assert caught.value.errno == fault
        assert caught.value.filename == str(path)
        assert os.strerror(fault) in str(caught.value)
        assert ("no file was changed" in str(caught.value)) == (number <= renamed)
        assert_holds(path, OLD if number <= renamed else NEW)
        assert_alone(path)


def test_an_interrupt_before_any_call_leaves_the_old_file_or_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tensors(path, OLD, {})
    calls = calls_of_a_save(path, monkeypatch)
    renamed = [name for name, _ in calls].index("replace")
    for number in range(len(calls)):

        def interrupt(current: int, name: str, number: int = number) -> None:
            if current == number:
                raise KeyboardInterrupt

        write_tensors(path, OLD, {})
        with monkeypatch.context() as patch:
            patch.setattr(atomic_file, "os", FaultyOS(interrupt))
            patch.setattr(atomic_file, "_WRITE_CHUNK", 4096)
            with pytest.raises(KeyboardInterrupt):
                write_tensors(path, NEW, {})
        assert_holds(path, OLD if number <= renamed else NEW)
        assert_alone(path)


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FaultyOS):
        def write(self, descriptor: int, piece: memoryview) -> int:
            return os.write(descriptor, piece[:7])

    monkeypatch.setattr(atomic_file, "os", Slow())
    write_tensors(path, NEW, {})
    assert_holds(path, NEW)


def test_a_disk_that_takes_nothing_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(FaultyOS):
        def write(self, descriptor: int, piece: memoryview) -> int:
            return 0

    monkeypatch.setattr(atomic_file, "os", Stuck())
    with pytest.raises(OSError, match="the disk takes no more bytes"):
        write_tensors(path, NEW, {})
    assert os.listdir(path.parent) == []


def test_a_real_full_disk_leaves_the_old_file_whole(path: Path) -> None:
    write_tensors(path, OLD, {})
    script = """
        import resource, sys
        import numpy as np
        from clearprop.checkpoint import write_tensors
        write_tensors(sys.argv[1] + ".warm", {}, {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write_tensors(sys.argv[1], {"x": np.zeros(5000)}, {})
        except OSError as error:
            print(error)
    """
    result = run_python(script, str(path))
    assert result.stderr == ""
    assert "could not save 40" in result.stdout
    assert f"(File too large); no file was changed: {str(path)!r}" in result.stdout
    Path(f"{path}.warm").unlink()
    assert_holds(path, OLD)
    assert_alone(path)


def test_the_kernel_sees_write_sync_rename_sync_in_this_order(path: Path, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log = tmp_path / "strace.log"
    trace = (
        strace,
        "-f",
        "-y",
        "-o",
        str(log),
        "-e",
        "trace=openat,write,fsync,rename,renameat,renameat2",
    )
    script = "import sys; from clearprop.checkpoint import write_tensors as w; w(sys.argv[1], {}, {})"
    result = run_python(script, str(path), prefix=trace)
    if not path.exists():
        pytest.skip(f"strace may not trace here: {result.stderr[-200:]}")
    lines = [
        line for line in log.read_text().splitlines() if str(path.parent) in line and "= -1" not in line
    ]
    steps = []
    for line in lines:
        call = line.split(None, 1)[1].split("(")[0]
        what = "temporary" if ".clearprop-" in line else "folder"
        if call in ("write", "fsync") or call.startswith("rename") or "O_CREAT" in line:
            steps.append((call if call != "renameat2" else "rename", what))
    once = [step for number, step in enumerate(steps) if steps[number - 1 : number] != [step]]
    assert once == [
        ("openat", "temporary"),
        ("write", "temporary"),
        ("fsync", "temporary"),
        ("rename", "temporary"),
        ("fsync", "folder"),
    ]
    assert any("O_EXCL" in line for line in lines)


KILLING = """
    import os, random, signal, sys, time
    import numpy as np
    from clearprop.checkpoint import atomic_file, read_tensors, write_tensors
    from model_file_forge import FaultyOS

    path, atomic_file._WRITE_CHUNK = sys.argv[1], 512
    leftovers = 0

    def save(i):
        tensors = {"i": np.full(500, i), "j": np.full((i % 7, 30), 2.0 * i)}
        write_tensors(path, tensors, {"i": i}, sync=i % 2 == 0)

    def check(i):
        global leftovers
        tensors, metadata = read_tensors(path)
        i = metadata["i"] if i is None else i
        assert metadata["i"] == i and (tensors["i"] == i).all() and (tensors["j"] == 2.0 * i).all()
        assert tensors["j"].shape == (i % 7, 30)
        leftovers += len(os.listdir(os.path.dirname(path))) - 1
        save(0)
        assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]

    def run_child(work, kill):
        ready, tell = os.pipe()
        child = os.fork()
        if not child:
            work(tell)
            os._exit(0)
        kill(child, ready)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)

    def kill_soon(child, ready):
        os.read(ready, 1)
        time.sleep(random.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)

    def forever(tell):
        for i in range(10**9):
            save(i)
            if i == 0:
                os.write(tell, b".")

    def die_at(number):
        def before(current, name):
            if current == number:
                os.kill(os.getpid(), signal.SIGKILL)
        atomic_file.os = FaultyOS(before)
        save(12)

    save(0)
    layer = atomic_file.os = FaultyOS()
    save(12)
    atomic_file.os = os
    calls = [name for name, _ in layer.calls]
    save(0)
    for number in range(len(calls)):
        run_child(lambda tell: die_at(number), lambda child, ready: None)
        check(0 if number <= calls.index("replace") else 12)
    random.seed(0)
    for _ in range(20):
        run_child(forever, kill_soon)
        check(None)
    print(len(calls), leftovers)
"""


def test_a_process_killed_at_any_instant_leaves_the_old_file_or_the_new_one(path: Path) -> None:
    result = run_python(KILLING, str(path))
    assert result.stderr == ""
    calls, leftovers = map(int, result.stdout.split())
    assert calls > 15
    assert leftovers > 5  # else the kills did not hit the time of writing


LEFTOVER = ".clearprop-4711-0123456789abcdef.tmp"


def test_what_a_killed_process_left_is_removed_and_nothing_else(path: Path, tmp_path: Path) -> None:
    (tmp_path / LEFTOVER).write_bytes(b"half a model")
    strangers = {".clearprop-1-0123456789abcdef.tmp~", ".clearprop-x.tmp", "model.tmp", "x" + LEFTOVER}
    for name in strangers:
        (tmp_path / name).write_bytes(b"")
    link = LEFTOVER.replace("4711", "4712")
    (tmp_path / link).symlink_to("model.tmp")
    write_tensors(path, OLD, {})
    assert set(os.listdir(tmp_path)) == strangers | {link, path.name}


def test_the_temporary_of_a_living_process_is_left_alone(path: Path, tmp_path: Path) -> None:
    with open(tmp_path / LEFTOVER, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_tensors(path, OLD, {})
        assert (tmp_path / LEFTOVER).exists()
    write_tensors(path, OLD, {})
    assert_alone(path)


def test_a_temporary_removed_before_it_was_locked_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, robbed = fcntl.flock, []

    def rob_once(descriptor: int, operation: int) -> None:
        if not robbed:
            robbed.extend(path.parent.glob(".clearprop-*.tmp"))
            robbed[0].unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", rob_once)
    write_tensors(path, OLD, {})
    assert len(robbed) == 1
    assert_holds(path, OLD)
    assert_alone(path)


def test_a_file_system_without_locks_is_written_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    (path.parent / LEFTOVER).write_bytes(b"")
    monkeypatch.setattr(fcntl, "flock", refuse)
    write_tensors(path, OLD, {})
    assert_holds(path, OLD)
    assert (path.parent / LEFTOVER).exists()  # its writer may live
    with WriterLock(path):
        pass


def test_two_writers_at_once_never_mix_and_readers_see_whole_files(path: Path) -> None:
    write_tensors(path, {"x": np.zeros(3000)}, {"value": 0})
    failures: list[BaseException] = []

    def write(value: int) -> None:
        try:
            for _ in range(25):
                write_tensors(path, {"x": np.full(3000, float(value))}, {"value": value}, sync=False)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(value,)) for value in (1, 2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        tensors, metadata = read_tensors(path)
        np.testing.assert_array_equal(tensors["x"], np.full(3000, float(metadata["value"])))
    assert failures == []
    assert_alone(path)


def test_a_second_writer_is_refused_and_told_who_writes(path: Path) -> None:
    with WriterLock(path):
        message = rf"'.*model.safetensors' is being written by another run \(pid {os.getpid()}\)"
        with pytest.raises(CheckpointError, match=message), WriterLock(path):
            pass
        write_tensors(path, OLD, {})  # by the holder
    assert_alone(path)
    with WriterLock(path):
        pass
    assert_alone(path)


def test_a_link_shares_the_lock_of_its_target(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    with (
        WriterLock(path),
        pytest.raises(CheckpointError, match="is being written"),
        WriterLock(tmp_path / "link"),
    ):
        pass


def test_a_lock_is_entered_once_at_a_time(path: Path) -> None:
    lock = WriterLock(path)
    with lock:
        with pytest.raises(CheckpointError, match="must be entered once at a time"), lock:
            pass
        assert os.path.exists(f"{path}.lock")
    with lock:
        pass


def test_the_lock_ends_with_an_error(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), WriterLock(path):
        1 / 0  # noqa: B018
    assert os.listdir(path.parent) == []


def test_a_killed_holder_lets_the_next_run_in(path: Path) -> None:
    script = """
        import os, signal, sys
        from clearprop.checkpoint import WriterLock
        with WriterLock(sys.argv[1]):
            print(os.getpid(), flush=True)
            sys.stdin.read()
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        with pytest.raises(CheckpointError, match=rf"another run \(pid {pid}\)"), WriterLock(path):
            pass
        holder.kill()
        holder.wait()
        assert os.path.exists(f"{path}.lock")
        with WriterLock(path):
            pass
    assert os.listdir(path.parent) == []


def test_a_lock_file_removed_while_it_is_taken_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, calls = fcntl.flock, []

    def remove_once(descriptor: int, operation: int) -> None:
        lock(descriptor, operation)
        calls.append(operation)
        if len(calls) == 1:
            os.unlink(f"{path}.lock")

    monkeypatch.setattr(fcntl, "flock", remove_once)
    with WriterLock(path):
        assert len(calls) == 2
        monkeypatch.setattr(fcntl, "flock", lock)
        with pytest.raises(CheckpointError, match="is being written"), WriterLock(path):
            pass


def test_a_link_in_the_place_of_the_lock_file_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("content")
    Path(f"{path}.lock").symlink_to("precious")
    with pytest.raises(OSError, match=r"\.lock"), WriterLock(path):
        pass
    assert (tmp_path / "precious").read_text() == "content"


def test_a_lock_in_a_folder_that_is_not_there_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"), WriterLock(tmp_path / "missing" / "run"):
        pass
