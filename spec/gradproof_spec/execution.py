"""Running obligations in worker processes, each of which finds the obligation again by its id."""
from __future__ import annotations

import ctypes
import gc
import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from types import FrameType

from .obligations import Entry, Obligation, Outcome, Verdict

POLL_SECONDS = 0.5
OBJECTS_PER_COLLECTION = 200_000
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt
Finder = Callable[[], Sequence[Obligation]]
_found: dict[str, Obligation] = {}  # in a worker: its obligations by id


def run_guarded(obligation: Obligation) -> Entry:
    from .prove import run

    return run(obligation)


def run_all(find: Finder, obligations: Sequence[Obligation], jobs: int) -> Iterator[Entry]:
    """Run the obligations in `jobs` processes; yields each in the order given, once it is decided.
    `find` is a function of some module.

    A solver in a process of its own leaves Ctrl-C to this one, and takes only itself down if it crashes.
    """
    by_id = {o.id: o for o in obligations}
    pool = ProcessPoolExecutor(max(1, min(jobs, len(by_id))), multiprocessing.get_context("spawn"), _start, (find,))
    try:
        with noted_interrupts() as interrupted:
            futures = {i: pool.submit(_run_by_id, i) for i in by_id}
            for i, future in futures.items():
                while not wait([future], POLL_SECONDS).done:
                    if interrupted.is_set():
                        raise KeyboardInterrupt
                yield _entry(by_id[i], future)
    except BaseException:  # Ctrl-C or a caller that stops early: do not wait for proofs under way
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


@contextmanager
def noted_interrupts() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C: a KeyboardInterrupt that is raised inside a callback of Python's is lost."""
    event, usual = threading.Event(), signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield event
        return

    def note(number: int, frame: FrameType | None) -> None:
        event.set()
        usual(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, usual)


def _entry(obligation: Obligation, future: Future[tuple[Outcome, float]]) -> Entry:
    try:
        outcome, seconds = future.result()
    except BrokenProcessPool:
        alone = f"gradproof prove {obligation.op} --kind {obligation.kind} --jobs 1"
        message = (f"UNKNOWN  {obligation.id}\n\n  A worker process died while this obligation was waiting or running. "
                   f"Run it alone:\n\n    {alone}")
        return Entry(obligation, Outcome(Verdict.UNKNOWN, message), 0.0)
    except Exception:
        from .prove import internal_error

        return Entry(obligation, internal_error(obligation, traceback.format_exc()), 0.0)
    return Entry(obligation, outcome, seconds)


def _start(find: Finder) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _found.update((o.id, o) for o in find())
    keep_memory()


def keep_memory() -> None:
    """For a process that proves: terms make hardly any cycles, and every query makes and frees a z3 context of some MB.

    So look for cycles rarely, and do not give memory back to the system after each query.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    with suppress(OSError, TypeError, AttributeError):  # elsewhere than on glibc
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in ((TRIM_THRESHOLD, 1 << 30), (TOP_PAD, 1 << 26), (MMAP_THRESHOLD, 1 << 25)):
            mallopt(option, size)


def _run_by_id(obligation_id: str) -> tuple[Outcome, float]:
    entry = run_guarded(_found[obligation_id])
    return entry.outcome, entry.seconds
