"""Checks that stand in a user's file: functions marked with @checked, and a list CHECKS."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from .question import CheckError

Function = TypeVar("Function", bound=Callable[..., Any])
MARK = "__gradient_check__"


def checked(**question: Any) -> Callable[[Function], Function]:
    """Marks a forward function with the arguments of `check`, for `gradproof check FILE.py`. It stays as it is.

    >>> @checked(vjp=lambda g, x: 2 * g * x, shapes={"x": (3,)})
    ... def square(x):
    ...     return x * x
    """
    if "shapes" not in question:
        raise CheckError("checked needs shapes, such as shapes={'x': (2, 3)}")

    def mark(function: Function) -> Function:
        setattr(function, MARK, question)
        return function

    return mark


@dataclass(frozen=True)
class Named:
    """A check of a file: the arguments of `check`, and a name to show."""

    name: str
    forward: Callable[..., Any]
    question: Mapping[str, Any]


def loaded(path: Path) -> ModuleType:
    """The file as a module; the folder that it is in can be imported from."""
    name = f"gradproof_checked_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CheckError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CheckError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module


def checks_in(module: ModuleType) -> list[Named]:
    """The functions that are marked, in order, then CHECKS: a list of dicts with the key "forward"."""
    found = [
        Named(name, function, getattr(function, MARK))
        for name, function in vars(module).items()
        if callable(function) and hasattr(function, MARK)
    ]
    for position, entry in enumerate(getattr(module, "CHECKS", [])):
        if not isinstance(entry, Mapping) or "forward" not in entry:
            raise CheckError(f"CHECKS[{position}] must be a dict with the key 'forward'")
        question = {key: value for key, value in entry.items() if key != "forward"}
        found.append(Named(getattr(entry["forward"], "__name__", f"CHECKS[{position}]"), entry["forward"], question))
    return found


def function_of(module: ModuleType, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise CheckError(f"there is no function {name!r} in the file")
    return function  # type: ignore[no-any-return]


def read_shapes(text: str) -> dict[str, tuple[int | str, ...]]:
    """x=2x3,w=3,s= as {"x": (2, 3), "w": (3,), "s": ()}; an extent may be a name without an x in it.

    >>> read_shapes("x=2x3,w=3,s=")
    {'x': (2, 3), 'w': (3,), 's': ()}
    >>> read_shapes("x=NxD,w=D")
    {'x': ('N', 'D'), 'w': ('D',)}
    """
    found: dict[str, tuple[int | str, ...]] = {}
    for part in text.split(","):
        name, sign, shape = part.partition("=")
        if not name.isidentifier() or not sign:
            raise CheckError(f"--shapes {text!r}: write x=2x3,w=3 or x=NxD,w=D (s= for a scalar)")
        extents = shape.split("x") if shape else []
        if not all(extent.isdecimal() or extent.isidentifier() for extent in extents):
            raise CheckError(f"--shapes {text!r}: {shape!r} is no shape; write 2x3 or NxD")
        found[name] = tuple(int(extent) if extent.isdecimal() else extent for extent in extents)
    return found


def read_numbers(items: tuple[str, ...]) -> dict[str, Any]:
    """eps=1e-5, scale=real as {"eps": 1e-5, "scale": "real"}."""
    found: dict[str, Any] = {}
    for item in items:
        name, _, text = item.partition("=")
        try:
            whole = text.lstrip("-").isdigit()
            found[name] = text if text in ("real", "positive") else int(text) if whole else float(text)
        except ValueError as error:
            raise CheckError(f"--param {item!r}: write eps=1e-5, or scale=real") from error
    return found


def read_ranges(items: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """labels=0:3 as {"labels": (0, 3)}."""
    found = {}
    for item in items:
        name, _, text = item.partition("=")
        low, sign, high = text.partition(":")
        if not sign or not low.lstrip("-").isdigit() or not high.lstrip("-").isdigit():
            raise CheckError(f"--integers {item!r}: write labels=0:3")
        found[name] = (int(low), int(high))
    return found
