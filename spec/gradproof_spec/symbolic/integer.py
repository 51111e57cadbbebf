"""TRUSTED. Integers for running shape rules on symbolic extents: `==` asks for a truth value, as it does on int.

The term class Index cannot be used directly: its `==` compares terms, so `if n == m` would silently take one branch.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..terms import Condition, Index, equal, to_index
from .meanings import Unsupported


class SymbolicInteger:
    """An int-like view of an Index. Comparisons are truth values, decided by the running explorer."""

    __slots__ = ("term",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, term: Index | int) -> None:
        self.term = to_index(term)

    def __repr__(self) -> str:
        return repr(self.term)

    def __eq__(self, other: object) -> bool:
        return bool(equal(self.term, _index(other))) if isinstance(other, (int, Index, SymbolicInteger)) else False

    def __bool__(self) -> bool:
        return self != 0

    def __neg__(self) -> SymbolicInteger:
        return SymbolicInteger(-self.term)

    def __index__(self) -> int:
        if self.term.op == "constant":
            return int(self.term.args[0])
        raise Unsupported(f"the symbolic extent {self!r} as a machine integer (range, list length, array shape)")

    __int__ = __index__


def _index(x: Any) -> Index:
    return x.term if isinstance(x, SymbolicInteger) else to_index(x)


def _operator(name: str, operation: Callable[[Index, Index], Any], reflected: bool = False) -> None:
    def method(self: SymbolicInteger, other: Any) -> Any:
        if not isinstance(other, (int, Index, SymbolicInteger)):
            return NotImplemented
        result = operation(_index(other), self.term) if reflected else operation(self.term, _index(other))
        return bool(result) if isinstance(result, Condition) else SymbolicInteger(result)

    setattr(SymbolicInteger, name, method)


def _positive(divisor: Index) -> Index:
    """Python's // and % by a negative number are not the solver's; by 0 they raise."""
    if equal(divisor, 0):
        raise ZeroDivisionError("integer division or modulo by zero")
    if divisor < 0:
        raise Unsupported("// or % by a negative symbolic integer")
    return divisor


for _name, _operation in {
        "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
        "floordiv": lambda a, b: a // _positive(b), "mod": lambda a, b: a % _positive(b)}.items():
    _operator(f"__{_name}__", _operation)
    _operator(f"__r{_name}__", _operation, reflected=True)
for _name, _operation in {"lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
                          "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b}.items():
    _operator(f"__{_name}__", _operation)
