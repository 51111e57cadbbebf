"""Python numbers of a function that is being recorded: learning rates, step counts.

Arithmetic with them is recorded. What they decide (a comparison, an int that becomes a shape) is a choice: the plan
holds for the numbers that decide it alike.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..op import PlanValue


class Choice(NamedTuple):
    """That `number` is `value`."""

    number: RecordedNumber
    value: Any


class RecordedNumber(PlanValue):
    """A number, and how it was computed: by `function` from `arguments`, or an input of the plan if that is None.
    isinstance(x, float) or (x, int) holds, so that what takes numbers takes it."""

    __slots__ = ("arguments", "example", "function", "recorder")

    def __init__(
        self, recorder: Any, example: Any, function: Callable[..., Any] | None = None, arguments: tuple[Any, ...] = ()
    ) -> None:
        self.recorder, self.example, self.function, self.arguments = recorder, example, function, arguments

    @property
    def __class__(self) -> type[Any]:
        return type(self.example)

    @__class__.setter
    def __class__(self, _: Any) -> NoReturn:
        raise TypeError("the class of a recorded number is fixed")

    def __repr__(self) -> str:
        return f"RecordedNumber({self.example!r})"

    def chosen(self) -> Any:
        """The number itself; from here on the plan is for this one."""
        self.recorder.operand(self)
        self.recorder.choices.append(Choice(self, self.example))
        return self.example

    def as_array(self, dtype: Any = None) -> Any:
        return self.recorder.call(np.asarray, self, dtype=dtype)

    def as_float(self) -> RecordedNumber:
        return self if type(self.example) is float else computed(self, float, self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        if all(not isinstance(x, np.ndarray) for x in inputs):
            inputs = tuple(x.chosen() if type(x) is RecordedNumber else x for x in inputs)
            return getattr(ufunc, method)(*inputs, **keywords)
        return self.recorder.ufunc(ufunc, method, inputs, keywords)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.chosen(), dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"a number has no attribute {name!r}")
        return getattr(self.chosen(), name)

    def __str__(self) -> str:
        return str(self.chosen())

    def __format__(self, how: str) -> str:
        return format(self.chosen(), how)

    def __hash__(self) -> int:
        return hash(self.chosen())

    def __bool__(self) -> bool:
        return bool(self.chosen())

    def __float__(self) -> float:
        return float(self.chosen())

    def __int__(self) -> int:
        return int(self.chosen())

    def __index__(self) -> int:
        return operator.index(self.chosen())


def computed(number: RecordedNumber, function: Callable[..., Any], *arguments: Any) -> RecordedNumber:
    number.recorder.operand(arguments)
    example = function(*(x.example if type(x) is RecordedNumber else x for x in arguments))
    return RecordedNumber(number.recorder, example, function, arguments)


def _binary(function: Callable[..., Any], swapped: bool) -> Callable[[RecordedNumber, Any], Any]:
    def method(self: RecordedNumber, other: Any) -> Any:
        if type(other) not in (int, float, bool, RecordedNumber):
            return NotImplemented
        return computed(self, function, *((other, self) if swapped else (self, other)))

    return method


def _of_chosen(name: str) -> Callable[..., Any]:
    def method(self: RecordedNumber, *others: Any) -> Any:
        others = tuple(x.chosen() if type(x) is RecordedNumber else x for x in others)
        return getattr(type(self.example), name)(self.chosen(), *others)

    return method


def _unary(function: Callable[..., Any]) -> Callable[[RecordedNumber], Any]:
    return lambda self: computed(self, function, self)


ARITHMETIC = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
              "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow}  # fmt: skip
COMPARISONS = {name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")}
for _name, _function in ARITHMETIC.items():
    setattr(RecordedNumber, f"__{_name}__", _binary(_function, swapped=False))
    setattr(RecordedNumber, f"__r{_name}__", _binary(_function, swapped=True))
for _name in ("round", "trunc", "floor", "ceil", "divmod", "rdivmod", "and", "rand", "or", "ror", "xor", "rxor",
              "lshift", "rlshift", "rshift", "rrshift", "invert"):  # fmt: skip
    setattr(RecordedNumber, f"__{_name}__", _of_chosen(f"__{_name}__"))
for _name, _function in COMPARISONS.items():
    setattr(RecordedNumber, f"__{_name}__", _binary(_function, swapped=False))
UNARY: dict[str, Any] = {"neg": operator.neg, "pos": operator.pos, "abs": operator.abs}
for _name, _unary_function in UNARY.items():
    setattr(RecordedNumber, f"__{_name}__", _unary(_unary_function))
