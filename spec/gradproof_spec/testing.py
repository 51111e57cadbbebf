"""The pytest face of the obligations: a pytest plugin (`-p gradproof_spec.testing`).

A file of proofs/ says `@of_kind("adjoint") def test_adjoint(obligation, prove): prove(obligation)`: one obligation is
one test. What a test found goes with its result to the process that started pytest, which writes the report at the end.
"""
from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from . import cache
from .execution import keep_memory
from .obligations import Obligation
from .open_obligations import OpenObligation, problem, read

ENTRY = "gradproof entry"  # the key among a test's user_properties
Test = Callable[..., None]


def of_kind(kind: str) -> Callable[[Test], Test]:
    """Parametrise a test over the obligations of a kind. While a kind has none, its test is not there at all."""
    from .prove import all_obligations

    obligations = [o for o in all_obligations() if o.kind == kind]
    if obligations:
        return pytest.mark.parametrize("obligation", obligations, ids=[o.name for o in obligations])

    def leave_out(test: Test) -> Test:
        test.__test__ = False  # type: ignore[attr-defined]
        return test

    return leave_out


def assert_gradient(forward: Callable[..., Any], vjp: Callable[..., Any] | None = None, **question: Any) -> None:
    """Fails, with the whole message and nothing else, unless `gradproof_spec.check` proves the gradient.

    def test_my_layer(): assert_gradient(my_layer, my_layer_backward, shapes={"x": (2, 3)})
    """
    from .gradient_check import check

    result = check(forward, vjp, **question)
    if not result:
        pytest.fail(result.message, pytrace=False)


@functools.cache
def opened() -> Mapping[str, OpenObligation]:
    return read()


@functools.cache
def results() -> cache.Cache:
    return cache.opened()


@pytest.fixture
def prove(request: pytest.FixtureRequest) -> Callable[[Obligation], None]:
    """Runs an obligation; fails with exactly its message; an entry of open.toml that ends as listed is an xfail."""
    def run(obligation: Obligation) -> None:
        from .execution import run_guarded
        from .report.record import entry_json

        entry = results().get(obligation) or run_guarded(obligation)
        results().put(entry)
        request.node.user_properties.append((ENTRY, json.dumps(entry_json(entry, opened()))))
        if message := problem(entry, opened()):
            pytest.fail(message, pytrace=False)
        if entry.id in opened():
            pytest.xfail(opened()[entry.id].reason)

    return run


class Recorder:
    """Collects what the tests found, in the process that started pytest, and writes the report."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.started, self.clock = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
        self.ran: dict[str, Any] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            for name, value in report.user_properties:
                if name == ENTRY:
                    entry = json.loads(str(value))
                    self.ran[entry["id"]] = entry

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        yield
        if self.ran:
            from .prove import all_obligations
            from .report.describe import describe_all
            from .report.record import assemble, write

            seconds = time.perf_counter() - self.clock
            write(assemble(all_obligations(), self.ran, describe_all(), self.started, seconds), self.out)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.ran:
            cached = sum(bool(entry["cached"]) for entry in self.ran.values())
            known = f" ({cached} of {len(self.ran)} results from the cache)" if cached else ""
            terminalreporter.write_line(f"proof report: {self.out / 'index.html'}{known}")


def pytest_collection_finish() -> None:
    keep_memory()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # not a worker of pytest-xdist
        config.pluginmanager.register(Recorder(config.rootpath / "proofs" / "report"), "gradproof report")
