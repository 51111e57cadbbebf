"""Replaying on the runtime in floats: a counterexample of the specification, and a failed kernel comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import gradproof  # noqa: F401  fills the table
from gradproof.errors import GradproofError
from gradproof.op import OPS as RUNTIME

from ..evaluate import Environment
from ..obligations import Outcome, Verdict
from ..op import Case
from .cases import ATTRIBUTES, runtime_attributes, runtime_shapes

if TYPE_CHECKING:
    from ..refute import Counterexample
    from .kernels import Run


class Sizes:
    """Extents and attributes of a case by name, as numbers."""

    def __init__(self, case: Case, sizes: dict[str, int]) -> None:
        self._size, self._environment = case.size(), Environment(case, dict(sizes), {})

    def __getattr__(self, name: str) -> int:
        return self._environment.index(getattr(self._size, name))


def replay(found: Counterexample) -> str:
    """What the runtime gives for the refuted entry, and who is the odd one out. '' where it cannot run."""
    from ..refute import element, extents

    case = found.case
    linked = case.op.name in RUNTIME and case.op.name in ATTRIBUTES
    if found.fault or not linked or found.kind not in ("adjoint", "derivative", "kink"):
        return ""
    op = RUNTIME[case.op.name]
    attributes = runtime_attributes(case, found.sizes) | {p: float(found.primals[p][()]) for p in case.op.reals}

    shapes, out_shape = runtime_shapes(case, Sizes(case, found.sizes))
    shape = dict(zip((t.name for t in case.inputs), shapes, strict=True)) | {"g": out_shape}

    def array(name: str, tensor: str, unit: tuple[int, ...] | None = None) -> Any:
        values = np.zeros(extents(case, tensor, found.sizes))
        for i, v in ({unit: 1} if unit is not None else found.primals.get(name, {})).items():
            values[i] = float(v)
        return values.reshape(shape[tensor])

    inputs = []
    for t in case.inputs:
        if t.integer:
            values = [v for _, v in sorted(found.integers[t.name].items())]
            dtype = bool if t.kind == "bool" else int
            inputs.append(np.array(values, dtype).reshape(shape[t.name]))
        else:
            inputs.append(array(t.name, t.name))
    try:
        op.shape(*shapes, **attributes)
    except GradproofError:
        return ""  # the runtime refuses what the refuted specification allows
    out, residual = op.evaluate(tuple(inputs), **attributes)
    names = [t.name for t in case.inputs]
    if found.kind == "adjoint":
        wanted = tuple(n in case.differentiable for n in names)
        value = op.vjp(array("g", "g", found.o), tuple(inputs), out, residual, wanted, **attributes)[
            names.index(found.x)
        ]
        entry, at = element("g" + found.x, found.i), found.i
    else:
        tangents = tuple(array("d" + n, n, found.i) if n == found.x else None for n in names)
        if case.op.variadic:
            tangents = tuple(
                array("d" + n, n, found.i) if n == found.x else np.zeros(shape[n]) for n in names
            )
        value = op.jvp(tangents, tuple(inputs), out, residual, **attributes)
        entry, at = element("d" + case.output.name, found.o), found.o
    assert value is not None
    tensor = found.x if found.kind == "adjoint" else "g"
    number = float(np.asarray(value).reshape(extents(case, tensor, found.sizes))[at])
    left, right = (float((v.lo + v.hi) / 2) if hasattr(v, "lo") else float(v) for v in (found.left, found.right))
    tolerance = 1e-9 * (1 + abs(left) + abs(right))
    if abs(number - left) <= tolerance:
        blame = "The spec rule is the odd one out."
    elif abs(number - right) <= tolerance:
        blame = "The runtime agrees with the refuted rule: both are wrong, or the other side is."
    else:
        blame = "The runtime gives neither."
    return f"replayed on the runtime in float64: gradproof.{case.op.name} gives {entry} = {number!r}. {blame}"


def witness(run: Run, failure: str, label: str) -> Outcome:
    """REFUTED with a float input at which kernel and specification differ, if sampling finds one; else UNKNOWN."""
    from .sampling import differing_input

    found = differing_input(run)
    if found is None:
        return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  {failure}\n\n  no input was found at which they differ")
    on_symbols = "" if found in failure else f"  {failure}\n\n"
    return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {found}\n\n{on_symbols}{where(run)}")


def where(run: Run) -> str:
    """The two sides that differ, each with its place, and how to repeat the comparison."""
    from ..refute import rule_location

    case, rules = run.link.case, run.op.rules
    one = {"forward": case.op.forward_rule, "denote": case.op.forward_rule, "jvp": case.op.jvp_rule}
    spec = [one[run.direction]] if run.direction in one else list(case.op.vjps.values())
    shipped = [rule for key, rule in rules.items() if key.split()[0] == run.direction.replace("denote", "forward")]
    kind, _, name = run.label.rstrip("]").partition("[")
    return "\n".join([
        *(f"  runtime  {rule_location(rule)}" for rule in shipped),
        *(f"  spec     {rule_location(rule)}" for rule in spec if rule is not None),
        "  which of the two is wrong: adjoint and derivative judge the specification by itself",
        "",
        f'  again    pytest "proofs/test_{kind}.py::test_{kind}[{name}]"',
    ])
