"""What a check found, and how it is told."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from ..obligations import Verdict


@dataclass(frozen=True)
class Result:
    """verdict      PROVED, REFUTED, UNKNOWN, VACUOUS or UNSUPPORTED
    message         the whole text, what is wrong first
    over            what the verdict ranges over
    counterexample  name -> array: the input at which the gradient is wrong, with the cotangent g (g0, ... of several
                    outputs) or the tangents dx; an argument of that name has it, and then these are called cotangent
                    (cotangent0, ...) and "tangent of x"
    assumptions     off which ties, which constants were read as what, which parameters are universal
    script          a NumPy program that shows the counterexample, where there is one
    """

    verdict: Verdict
    message: str
    over: str = ""
    counterexample: Mapping[str, Any] = field(default_factory=dict)
    assumptions: Sequence[str] = ()
    script: str = ""

    def __bool__(self) -> bool:
        return self.verdict is Verdict.PROVED

    def __str__(self) -> str:
        return self.message


def lines(title: str, items: Sequence[str]) -> list[str]:
    return ["", f"  {title}", *(f"    {item}" for item in items)] if items else []


def text_of(array: Any) -> str:
    return np.array2string(np.asarray(array), separator=", ", precision=17, floatmode="unique").replace("\n", "")


def sources_of(*functions: Callable[..., Any] | None) -> str:
    """The source of these functions, after that of the functions and constants of their modules that they name."""
    found: dict[str, str] = {}

    def add(function: Any) -> None:
        name = function.__name__
        if name in found:
            return
        text = textwrap.dedent(inspect.getsource(function))
        if not text.startswith(("def ", "@")):
            raise OSError("a lambda has no source of its own")
        found[name] = ""  # it may name itself
        for used in names_in(function.__code__):
            value = function.__globals__.get(used)
            if inspect.isfunction(value) and value.__module__ == function.__module__:
                add(value)
            elif isinstance(value, ModuleType):
                found[used] = f"import {value.__name__} as {used}\n"
            elif callable(value) and getattr(value, "__module__", "").startswith("numpy"):
                found[used] = f"from {value.__module__} import {value.__name__} as {used}\n"
            elif isinstance(value, (int, float, tuple)) and used not in found:
                found[used] = f"{used} = {value!r}\n"
        del found[name]
        found[name] = text

    try:
        for function in functions:
            if function is not None:
                add(function)
    except (OSError, TypeError, AttributeError):
        return ""
    return "\n\n".join(found.values())


def names_in(code: CodeType) -> list[str]:
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in names_in(constant)]
    return [*code.co_names, *inner]


def place_of(function: Callable[..., Any] | None) -> str:
    if function is None:
        return ""
    name = getattr(function, "__name__", type(function).__name__)
    try:
        file = inspect.getsourcefile(function)
        return f"{file}:{inspect.getsourcelines(function)[1]}  {name}"
    except (OSError, TypeError):
        return name


SCRIPT = '''"""Shows a counterexample of gradproof: a gradient that is not the derivative. Needs NumPy alone."""
import numpy as np

{sources}

inputs = {{{inputs}}}
cotangent = {g}


def value(*xs):
    return np.sum(cotangent * np.asarray({forward}))


arguments = list(inputs.values())
given = {backward}
given = given if isinstance(given, (tuple, list)) else (given,)
step = 1e-6 * max(1.0, abs(float(inputs[{name!r}][{index}])))
slopes = []
for h in (step, -step):
    moved = {{n: v.copy() for n, v in inputs.items()}}
    moved[{name!r}][{index}] += h
    slopes.append((value(*moved.values()) - value(*arguments)) / h)
print("by the backward function", np.asarray(given[{position}])[{index}])
print("by differences to the right and to the left", *slopes)
print("exact", {exact!r})
'''
