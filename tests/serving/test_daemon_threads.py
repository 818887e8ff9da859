import gc
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from zoo.serving.daemon_threads import DaemonThreads

ROOT = Path(__file__).parents[2]


@pytest.fixture
def threads():
    threads = DaemonThreads(3, "tested")
    yield threads
    threads.close()


def test_calls_are_answered_and_errors_kept(threads):
    assert threads.submit(divmod, 7, 3).result(10) == (2, 1)
    assert threads.submit(sorted, [1, 2], reverse=True).result(10) == [2, 1]
    assert isinstance(threads.submit(int, "x").exception(10), ValueError)


def test_calls_beyond_the_threads_wait(threads):
    let_go, begun = threading.Event(), threading.Semaphore(0)
    calls = [
        threads.submit(lambda: begun.release() or let_go.wait(10)) for _ in range(5)
    ]
    for _ in range(3):
        assert begun.acquire(timeout=10)
    assert not begun.acquire(timeout=0.05)
    assert calls[4].cancel()
    let_go.set()
    assert all(call.result(10) for call in calls[:4])


def test_a_thread_that_is_idle_is_used_again(threads):
    names = set()
    for _ in range(5):
        names.add(threads.submit(lambda: threading.current_thread().name).result(10))
        _until(lambda: threads._idle._value == 1)
    assert names == {"tested-1"}


def test_idle_threads_hold_nothing(threads):
    class Request:
        pass

    request = Request()
    gone = weakref.ref(request)
    threads.submit(lambda request: None, request).result(10)
    del request
    _until(lambda: gc.collect() >= 0 and gone() is None)


def _until(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("It did not happen in five seconds.")


def test_closed_threads_end_after_what_was_submitted():
    threads = DaemonThreads(2, "closed")
    call = threads.submit(time.sleep, 0.05)
    threads.close()
    threads.close()
    assert call.result(10) is None
    with pytest.raises(RuntimeError, match="told to end"):
        threads.submit(int)
    _until(lambda: not [t for t in threading.enumerate() if t.name == "closed-1"])


def test_a_process_does_not_wait_for_them():
    code = (
        "import time; from zoo.serving.daemon_threads import DaemonThreads;"
        "DaemonThreads(1, 'a').submit(time.sleep, 60)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)
