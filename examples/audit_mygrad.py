"""Audit MyGrad's operations: run gradproof_spec.check over the gradient of each, as installed and unmodified.

    python examples/audit_mygrad.py             # table and summary; auditing.py says what the options are
    python examples/audit_mygrad.py repeat norm # configurations whose text contains one of these
    python examples/audit_mygrad.py --write     # and docs/audit_mygrad.md

The forward is MyGrad's function of constant tensors, the backward its own pass, with what it does around the rules of
the operations (sums over what was broadcast, masks, in-place updates): mg.f(x).backward(g), x.grad. The tensors hold
arrays of symbols. Only memory guarding is off, MyGrad's own switch. Needs `gradproof[prove]` and mygrad.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import mygrad as mg
import mygrad_configurations
import numpy as np
from auditing import DOCUMENTS, Audit, Case, Found, Real, Shape, Whole, main, random_inputs
from mygrad.math.trigonometric.ops import Arctan2
from mygrad.operation_base import Operation

from gradproof_spec.symbolic.user_code import PlainUserArray


def arctan_of_quotient(x: Any, y: Any = None) -> Any:
    """arctan2 has this derivative where y != 0; np.arctan2 is not modelled."""
    return np.arctan(x / (x if y is None else y))


class WrittenArctan2(Arctan2):  # type: ignore[misc]
    """The operation on symbols: its backward_var, with another forward."""

    numpy_ufunc = staticmethod(lambda x, y, **_: arctan_of_quotient(x, y))


class MyGradCase(Case):
    def run(self, args: Sequence[Any], argnums: Sequence[int]) -> tuple[Any, list[Any]]:
        """The result of the code, and its arguments."""
        tensors = [mg.Tensor(x, constant=n not in argnums) if isinstance(self.args[n], Real) else x
                   for n, x in enumerate(args)]
        space = {"mg": mg, "np": np, **dict(zip(self.names.values(), tensors, strict=True))}
        if self.plain is not None and any(isinstance(x, PlainUserArray) for x in args):
            return mg.execute_op(WrittenArctan2, tensors[0], tensors[-1]), tensors
        *statements, last = self.call().split("; ")
        for statement in statements:
            exec(statement, space)
        return eval(last, space), tensors

    def original(self, args: tuple[Any, ...]) -> Any:
        with mg.mem_guard_off:
            return self.run(args, ())[0].data

    def cotangents(self, args: tuple[Any, ...], g: Any, argnums: tuple[int, ...]) -> Sequence[Any]:
        with mg.mem_guard_off:
            result, tensors = self.run(args, argnums)
            try:
                result.backward(g)
            except AssertionError as error:  # one of its own invariants: not that it says what it does not have
                raise RuntimeError(f"AssertionError {error}".strip()) from error
        return [np.zeros(args[n].shape) if tensors[n].grad is None else tensors[n].grad for n in argnums]

    def function(self) -> str:
        return str(self.primitive)

    def program(self, wrong: str, several: bool) -> tuple[str, str]:
        names = ", ".join(self.names[n] for n in self.argnums)
        tensors = ", ".join(f"mg.tensor({self.names[n]})" for n in self.argnums)
        *statements, last = self.call().split("; ")
        whole = last if re.fullmatch(r"\w+|mg\.[\w.]+\(.*\)", last) else f"({last})"
        return "import mygrad as mg, numpy as np", "; ".join(
            [f"{names} = {tensors}", *statements, f"{whole}.backward(g)", f"print({wrong}.grad)"])


KINDS = {r"\] = ": "setitem", r"[^=<>!]= .*;": "in place", r"^x\[": "getitem", r" \*\* ": "power", " @ ": "matmul"}


def name_of(code: str) -> str:
    if "where=" in code:
        return "where="
    kinds = [kind for pattern, kind in KINDS.items() if re.search(pattern, code.removeprefix("z = +x; "))]
    called = re.search(r"(?:mg\.(?:nnet\.)?|np\.|x\.)([\w.]+)", code)
    return kinds[0] if kinds else called[1] if called else code


def case(code: str, domain: str = "", name: str | None = None, **arguments: Shape | Whole) -> MyGradCase:
    args = tuple(a if isinstance(a, Whole) else Real(a) for a in arguments.values())
    plain = arctan_of_quotient if "arctan2" in code else None
    found = MyGradCase(name or name_of(code), args, domain=domain, plain=plain, spelled=code)
    if list(found.names.values()) != list(arguments):
        raise ValueError(f"{code}: name the arguments {', '.join(found.names.values())}")
    return found


def table() -> list[Case]:
    return list(mygrad_configurations.table(case))


# ---------------------------------------------------------------- which operations
def concrete(operation: type[Any]) -> Iterator[type[Any]]:
    """MyGrad's operations."""
    for one in operation.__subclasses__():
        yield from concrete(one)
        if one.__module__.startswith("mygrad.") and not one.__abstractmethods__ and not one.__name__.startswith("_"):
            yield one


def operations(c: MyGradCase) -> set[type[Any]]:
    """Those in the graph that the code makes."""
    arrays, _ = next(random_inputs(c, 1))
    found: set[type[Any]] = set()
    with mg.mem_guard_off:
        left = [c.run(c.filled([arrays[n] for n in c.shapes()]), c.argnums)[0]]
        while left:
            tensor = left.pop()
            if tensor.creator is not None:
                found.add(type(tensor.creator))
                left += tensor.creator.variables
    return found


def untried(found: Sequence[Found]) -> str:
    every = set(concrete(Operation))
    tried = {operation for f in found if isinstance(f.case, MyGradCase) for operation in operations(f.case)}
    left = ", ".join(sorted(operation.__name__ for operation in every - tried)) or "none"
    return f"{left} of the {len(every)} subclasses of mygrad.operation_base.Operation; and GRUnit, which needs numba"


NOT_SELECTED = "Arguments that are equal get no gradient, neither of them, also where the function has a derivative."
OVERFLOW = "The gradient is a quotient of hyperbolic functions, inf / inf above 710."
NOTES = {
    "maximum": NOT_SELECTED, "minimum": NOT_SELECTED, "leaky_relu": NOT_SELECTED, "sech": OVERFLOW, "csch": OVERFLOW,
    "where=": "The gradient is multiplied by the mask at the end: nan times 0 where the function is masked out.",
    "linalg.norm": "It asks whether keepdims `is False`; 0 and np.False_ count as True.",
    "setitem": "Only int64 counts as an integer index: with others, what a repeated index overwrites gets a gradient.",
    "sum": "NumPy allows axis=0 for 0-d arrays, and so does the forward.",
    "repeat, np.int64": "It takes what is no int to be a sequence.",
    "repeat, empty": "It sums over windows, which do not fit in an empty array.",
    "in place, through two views": "It asserts that views of a copy of the gradient are views, as those of the data "
                                   "are; but the copy has another order in memory.",
}
AUDIT = Audit(
    library="MyGrad", script="examples/audit_mygrad.py", document=DOCUMENTS / "audit_mygrad.md",
    packages=("mygrad", "numpy", "z3-solver"), table=table, untried=untried, notes=NOTES,
    preface="""\
MyGrad's functions as installed from PyPI and unmodified; the gradient is that of its `backward()`. Seen on the way, in
forwards: `mg.sliding_window_view`, and with it `conv_nd` and `max_pool`, reads beyond the memory of a transposed array
whose last axis has length 1: `mg.nnet.max_pool(mg.ones((1, 4)).T, (2, 1), 1)`. And `mg.linalg.norm`, with its default
nan_to_num=True, promises zeros instead of nan where x is 0; it gives nan (a kink, and not counted).""",
)

if __name__ == "__main__":
    sys.exit(main(AUDIT, sys.argv[1:]))
