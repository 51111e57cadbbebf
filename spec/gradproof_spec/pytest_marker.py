"""A pytest plugin, there once gradproof is installed: `@pytest.mark.gradient(vjp=..., shapes=...)` on a forward.

    @pytest.mark.gradient(vjp=softsign_backward, shapes={"x": (3,)})
    def softsign(x):
        return x / (1 + np.abs(x))

is a test: that `gradproof_spec.check` proves the gradient. The arguments are those of `check`. Several marks on one
function are several tests. The function may have any name where it is defined; imported ones are assigned to a name of
a test: `test_softsign = pytest.mark.gradient(vjp=softsign_backward, shapes={"x": (3,)})(softsign)`.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MARKER = "gradient(vjp=None, shapes={...}, ...): gradproof_spec.check must prove the gradient of this function"


class GradientItem(pytest.Item):
    """One mark of one function."""

    def __init__(self, *, forward: Callable[..., Any], mark: pytest.Mark, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.forward, self.question = forward, mark.kwargs
        others = [m for m in forward.pytestmark if m.name != "gradient"]  # type: ignore[attr-defined]
        self.own_markers += [mark, *others]
        self.keywords.update({m.name: m for m in self.own_markers})

    def runtest(self) -> None:
        from .gradient_check import CheckError
        from .testing import assert_gradient

        try:
            assert_gradient(self.forward, **self.question)
            return
        except (CheckError, TypeError) as error:
            message = f"the mark `gradient` of {self.forward.__name__}: {error}"
        pytest.fail(message, pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, inspect.getsourcelines(self.forward)[1] - 1, self.name


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str,
                              obj: object) -> list[pytest.Item] | None:
    if not inspect.isfunction(obj):
        return None
    marks = [m for m in getattr(obj, "pytestmark", []) if m.name == "gradient"]
    if not marks or not (obj.__module__ == collector.obj.__name__ or collector.funcnamefilter(name)):
        return None
    return list(items(collector, name, obj, marks))


def items(collector: pytest.Module | pytest.Class, name: str, forward: Callable[..., Any],
          marks: list[pytest.Mark]) -> Iterator[pytest.Item]:
    if not isinstance(collector, pytest.Module):
        raise collector.CollectError(f"{collector.name}.{name}: the mark `gradient` is for functions of a module")
    for n, mark in enumerate(marks):
        if mark.args:
            raise collector.CollectError(f"{name}: the mark `gradient` takes keywords only, vjp=..., shapes=...")
        of_several = f"[{n}]" if len(marks) > 1 else ""
        yield GradientItem.from_parent(collector, name=name + of_several, forward=forward, mark=mark)
