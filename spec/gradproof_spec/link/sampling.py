"""Searching a small grid, where ties are likely, for floats at which a kernel and the specification differ."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluate import DivisionByZero, Environment, Interval, Intervals, OutOfBounds, Undecided
from ..refute import rule_term
from .calls import inside, inside_domain

if TYPE_CHECKING:
    from .kernels import Run

TRIES = 40
TOLERANCE = 1e-9


def differing_input(run: Run, tries: int = TRIES) -> str | None:
    """A sentence with the element, both values and the input; None if none of the samples shows a difference."""
    rng = random.Random(run.example.name)
    for attempt in range(tries):
        values = draw(run, rng, largest=1 if attempt % 2 == 0 else 3)
        try:
            got = on_floats(run, values)
        except Exception as e:
            return f"The kernel raises {type(e).__name__}: {e}."
        try:
            expected = exactly(run, values)
        except (DivisionByZero, OutOfBounds, Undecided, FloatingPointError):
            continue
        for name, want in expected.items():
            if name not in got or np.shape(got[name]) != want.shape:
                shape = np.shape(got[name]) if name in got else None
                return f"{name} has shape {shape}, the specification {want.shape}."
            for i in product(*map(range, want.shape)):
                exact = want[i]
                middle = float((exact.lo + exact.hi) / 2) if isinstance(exact, Interval) else float(exact)
                if not abs(float(got[name][i]) - middle) <= TOLERANCE * (1 + abs(middle)):
                    shown = ", ".join(f"{k} = {np.asarray(v).tolist()}" for k, v in values.items() if is_read(run, k))
                    runtime, spec = f"{float(got[name][i])!r}", f"{middle!r}"
                    return f"{name}{list(i)} is {runtime} in the runtime and {spec} in the specification, at {shown}."
    return None


def is_read(run: Run, name: str) -> bool:
    """Does the direction read this array?"""
    if name in run.names():
        return True
    return (name == "g") == (run.direction == "vjp") and run.direction in ("jvp", "vjp")


def draw(run: Run, rng: random.Random, largest: int) -> dict[str, Any]:
    def array(shape: Any, holds: Any = None) -> Any:
        found = []
        for _ in range(int(np.prod(shape))):
            value = float(rng.randint(-largest, largest))
            found.append(value if holds is None or holds(value) else inside(value, holds))
        return np.array(found).reshape(shape)

    values: dict[str, Any] = {}
    integers = run.integers()
    values |= run.link.drawn(run.example.attributes)
    for n, shape in zip(run.names(), run.example.shapes, strict=True):
        holds = inside_domain(run.example.op, n, run.example.attributes, run.link.case.label, run.link.sizes)
        if n in run.fixed:
            values |= {n: np.full(shape, float(run.fixed[n])), "d" + n: np.zeros(shape)}
            continue
        values[n] = integers[n] if n in integers else array(shape, holds)
        if n in run.link.case.differentiable:
            values["d" + n] = np.zeros(shape) if n in run.still else array(shape)
    values["g"] = array(run.op.shape(*run.example.shapes, **run.example.attributes))
    for value in values.values():
        value.flags.writeable = False
    return values


def on_floats(run: Run, values: dict[str, Any]) -> dict[str, Any]:
    """The runtime's result in specification layout."""
    names, link = run.names(), run.link
    inputs = tuple(values[n] for n in names)
    tangents = tuple(None if n in run.still else values.get("d" + n) for n in names)
    found = run.compute(inputs, tangents, values["g"], run.example.attributes)
    output = link.case.output.name if run.direction != "vjp" else ""
    return {n: link.to_spec(output or n[1:], np.asarray(array)) for n, array in found.items()}


def exactly(run: Run, values: dict[str, Any]) -> dict[str, Any]:
    """The specification's values, exact or in intervals."""
    link, case = run.link, run.link.case

    def reader(array: Any) -> Any:
        return lambda *i: Fraction(float(array[i]))

    tensors: dict[str, Any] = {}
    for t in case.inputs:
        for prefix in ("", "d"):
            if t.name in link.absent:
                tensors[prefix + t.name] = lambda *i: Fraction(0)
            elif not t.integer and (not prefix or not t.kind):
                tensors[prefix + t.name] = reader(link.to_spec(t.name, values[prefix + t.name]))
    tensors["g"] = reader(link.to_spec(case.output.name, values["g"]))
    for p in case.op.reals:
        tensors[p] = lambda p=p: Fraction(run.example.attributes[p])
    laid_out = {t.name: link.to_spec(t.name, values[t.name]) for t in case.inputs if t.integer and t.name in values}
    integers = {n: (lambda *i, x=x: int(x[i])) for n, x in laid_out.items()}
    env = Environment(case, dict(link.sizes), tensors, integers, Intervals())

    def array(rule: str, tensor: str) -> Any:
        result = np.empty(tuple(env.index(n) for n in case.shape(tensor)), dtype=object)
        for i in np.ndindex(*result.shape):
            env.sizes.update(zip(case.index_names(tensor), i, strict=True))
            result[i] = env.scalar(rule_term(case, rule))
        return result

    if run.direction != "vjp":
        jvp = run.direction == "jvp"
        return {("d" if jvp else "") + case.output.name: array("jvp" if jvp else "forward", "g")}
    return {"g" + x: array(x, x) for x in case.differentiable if x not in link.absent and x not in run.fixed}
