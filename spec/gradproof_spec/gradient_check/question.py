"""What is asked of `check`, and how a user's functions are called: the same way on symbols and on floats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ..obligations import Verdict
from ..terms import Term
from .programs import ResultsDiffer
from .result import Result, lines, place_of, text_of

UNIVERSAL = ("real", "positive")
# In the terms the cotangent is "g " ("g0 ", ... of several outputs), the tangent of x "dx ": no argument is so named.


class CheckError(ValueError):
    """The check is asked for in a way that makes no sense."""


@dataclass(frozen=True)
class Question:
    """What is asked."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    way: str  # "vjp", "jvp" or "none"
    shapes: dict[str, tuple[int, ...]]
    params: dict[str, Any]
    integers: dict[str, tuple[int, int]]
    domain: Callable[..., Any] | None
    residuals: bool
    surrogate: Callable[..., Any] | None
    shown: set[tuple[Term, ...]] = field(default_factory=set)  # what was proved for one assignment of the integers

    @property
    def floats(self) -> list[str]:
        return [n for n in self.shapes if n not in self.integers]

    def count_of_assignments(self) -> int:
        return prod(len(range(*limits)) ** prod(self.shapes[n]) for n, limits in self.integers.items())

    def key(self, name: str) -> str:
        """In a counterexample: g, g0, dx; where an argument has that name, cotangent, cotangent0, tangent of x."""
        short = name.strip()
        if short == name or short not in {*self.shapes, *self.params}:
            return short
        return f"cotangent{short[1:]}" if is_cotangent(name) else f"tangent of {short[1:]}"

    def numbers(self) -> dict[str, Any]:
        return {n: v for n, v in self.params.items() if v not in UNIVERSAL}

    def universal(self) -> dict[str, str]:
        return {n: v for n, v in self.params.items() if isinstance(v, str) and v in UNIVERSAL}

    def name(self) -> str:
        return str(getattr(self.forward, "__name__", "forward"))

    # One way to call each function, on symbols or on floats.

    def arguments(self, arrays: Mapping[str, Any]) -> list[Any]:
        return [arrays[n] for n in self.shapes]

    def keywords(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {n: arrays[n] if n in self.universal() else v for n, v in self.params.items()}

    def outputs(self, arrays: Mapping[str, Any], function: Callable[..., Any] | None = None) -> list[Any]:
        result = (function or self.forward)(*self.arguments(arrays), **self.keywords(arrays))
        if self.residuals and function is None:
            result = result[0]
        return list(result) if isinstance(result, (tuple, list)) else [result]

    def cotangents(self, arrays: Mapping[str, Any], g: Sequence[Any], single: bool) -> list[Any]:
        """One per float argument; of a JVP, the tangents of the outputs."""
        assert self.backward is not None
        arguments, keywords = self.arguments(arrays), self.keywords(arrays)
        if self.way == "jvp":
            tangents = [arrays[tangent(n)] if n not in self.integers else None for n in self.shapes]
            result = self.backward(tuple(arguments), tuple(tangents), **keywords)
            return list(result) if isinstance(result, (tuple, list)) else [result]
        given = g[0] if single else tuple(g)
        if self.residuals:
            _, kept = self.forward(*arguments, **keywords)
            result = self.backward(kept, given)
        else:
            result = self.backward(given, *arguments, **keywords)
        found = list(result) if isinstance(result, (tuple, list)) else [result]
        if len(found) == len(self.shapes) != len(self.floats):
            found = [x for n, x in zip(self.shapes, found, strict=True) if n not in self.integers]
        if len(found) != len(self.floats):
            raise ResultsDiffer(f"it returns {len(found)} cotangents for {len(self.floats)} float arguments")
        return found


def tangent(name: str) -> str:
    return f"d{name} "


def cotangents(outputs: int) -> list[str]:
    return ["g "] if outputs == 1 else [f"g{k} " for k in range(outputs)]


def is_cotangent(name: str) -> bool:
    return name[:1] == "g" and name[-1:] == " "


def is_direction(name: str) -> bool:
    """A cotangent or a tangent."""
    return name[-1:] == " "


def told(question: Question, verdict: Verdict, what: str, checked: Any, arrays: Mapping[str, Any] | None = None,
         over_floats: bool = False, assumptions: Sequence[str] = ()) -> Result:  # fmt: skip
    shapes = ", ".join(f"{n} {shape}" for n, shape in question.shapes.items())
    over = f"all reals at the shapes {shapes}, all paths"
    if verdict is Verdict.REFUTED and arrays:
        over = "a float input" if over_floats else "one input, in exact arithmetic and in floats"
    assumptions = list(dict.fromkeys(getattr(checked, "assumptions", assumptions)))
    claim = {
        "vjp": "the backward is the adjoint of the derivative of the forward",
        "jvp": "the tangent is the derivative of the forward in the given direction",
        "none": "the forward is defined",
    }[question.way]
    arrays = {question.key(n): x for n, x in (arrays or {}).items()}
    text = [f"{verdict}  {question.name()}"]
    text += ["", f"  {what}"] if what else []
    text += ["", f"  claim    {claim}", f"  over     {over}", f"  forward  {place_of(question.forward)}"]
    if question.backward is not None:
        text.append(f"  {question.way:<8} {place_of(question.backward)}")
    if arrays:
        text += lines("counterexample", [f"{n} = {text_of(x)}" for n, x in arrays.items()])
    text += lines("assuming", assumptions)
    assumptions = [readable(line) for line in assumptions]
    return Result(verdict, readable("\n".join(text)), over, arrays, tuple(assumptions))


def readable(text: str) -> str:
    """Without the space in the names of cotangents."""
    return re.sub(r"\b(g\d*|d\w+) (?=[\[·),/]|$| [-+<≤=≠])", r"\1", text, flags=re.MULTILINE)
