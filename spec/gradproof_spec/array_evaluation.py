"""All entries of a rule at once, in float64: where a counterexample may be. What is found here is confirmed exactly.

A subterm becomes an array with one axis for each index variable it mentions, so a rule costs one NumPy operation for
each of its distinct subterms. An element outside its tensor is nan; a false guard makes a product 0.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .op import Case, Selection
from .terms import Condition, Index, Scalar, Term, free_names, indicator, product_factors, variable

MOST_VARIABLES = 30
MOST_REMEMBERED = 50_000
TOLERANCE = 1e-7
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "atan": np.arctan,
    "erf": np.vectorize(math.erf, otypes=[float])}
Array = Any


class ArrayEvaluation:
    """Terms of a case at concrete extents, attributes and tensors."""

    def __init__(self, case: Case, sizes: Mapping[str, int], tensors: Mapping[str, Array],
                 integers: Mapping[str, Array]) -> None:
        self.case, self.sizes, self.tensors, self.integers = case, sizes, dict(tensors), integers
        declared = case.op.index_functions
        self.index_functions = declared.meaning(case, sizes) if declared else {}
        self.axes: dict[str, int] = {}
        self.names = {"g", *("d" + t.name for t in case.inputs)}  # what changes from one direction to the next
        self._memo: dict[Any, Array] = {}
        self._mentions: dict[Term, tuple[str, ...]] = {}
        self._versions: dict[str, bytes] = {}  # a direction's values

    def set_direction(self, name: str, values: Array) -> None:
        self.tensors[name] = values
        self._versions[name] = np.asarray(values, float).tobytes()
        if len(self._memo) > MOST_REMEMBERED:
            self._memo.clear()

    def array(self, t: Scalar, order: Mapping[str, int]) -> Array:
        """t over its index variables, which have these extents, as an array with an axis for each, in this order."""
        value = np.asarray(self.value(t, dict(order)), float)
        places = [self.axis(n) for n in order]
        lengths = dict(zip(places, order.values(), strict=True))
        value = np.broadcast_to(value, [lengths.get(a, 1) for a in range(MOST_VARIABLES)])
        rest = [a for a in range(MOST_VARIABLES) if a not in places]
        return value.transpose(places + rest).reshape(tuple(order.values()))

    def axis(self, name: str) -> int:
        return self.axes.setdefault(name, len(self.axes))

    # ------------------------------------------------------------ terms
    def value(self, t: Term, ranges: dict[str, int]) -> Array:
        if t.op in ("constant", "number") and isinstance(t, (Index, Scalar)):
            return self._index(t, ranges) if isinstance(t, Index) else self._scalar(t, ranges)
        key = (t, *[(n, ranges[n]) for n in free_names(t) if n in ranges],
               *[self._versions.get(d) for d in self._directions(t)])
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = (self._index(t, ranges) if isinstance(t, Index) else
                                       self._condition(t, ranges) if isinstance(t, Condition) else
                                       self._scalar(t, ranges))  # type: ignore[arg-type]
        return found

    def _directions(self, t: Term) -> tuple[str, ...]:
        """The tangents and cotangents that t mentions."""
        known = self._mentions.get(t)
        if known is None:
            found = {d for a in t.args if isinstance(a, Term) for d in self._directions(a)}
            if t.op == "access" and t.args[0] in self.names:
                found.add(t.args[0])
            known = self._mentions[t] = tuple(sorted(found))
        return known

    def _index(self, t: Index, ranges: dict[str, int]) -> Array:
        a = t.args
        if t.op == "constant":
            return a[0]
        if t.op == "variable":
            if a[0] not in ranges:
                return self.sizes[a[0]]
            shape = [1] * MOST_VARIABLES
            shape[self.axis(a[0])] = ranges[a[0]]
            return np.arange(ranges[a[0]]).reshape(shape)
        if t.op == "apply":
            return self._apply(a[0], [self.value(i, ranges) for i in a[1:]])
        x, y = self.value(a[0], ranges), self.value(a[1], ranges)
        if t.op in ("+", "*"):
            return x + y if t.op == "+" else x * y
        y = np.where(np.equal(y, 0), 10**6, y)
        return x // y if t.op == "//" else x % y

    def _apply(self, name: str, arguments: list[Array]) -> Array:
        if name in self.integers:
            return _read(self.integers[name], arguments, -10**6)
        if name in self.index_functions:
            return np.vectorize(self.index_functions[name], otypes=[int])(*arguments) if arguments else (
                self.index_functions[name]())
        base, _, part = name.rpartition(".")
        selection = self.case.op.selections[base]
        return _read(self._winners(selection)[selection.candidates.index(part)], arguments, -10**6)

    def _winners(self, selection: Selection) -> list[Array]:
        """For all arguments, the first best cell: an array per candidate index."""
        key = ("winners", selection.name)
        if key not in self._memo:
            size = self.case.size()
            names = [*self.case.selection_arguments(selection), *selection.candidates]
            order = {f"{n}§": int(self.value(getattr(size, n.upper()), {})) for n in names}
            places = [variable(n) for n in order]
            count = len(names) - len(selection.candidates)
            real, value = self.case.candidate(selection, places[:count], places[count:])
            extents = tuple(order.values())
            values = self.array(value, order)
            is_real = np.broadcast_to(self.array(indicator(real), order) != 0, extents)
            cells = math.prod(extents[count:])
            flat = np.where(is_real, values, -np.inf).reshape((*extents[:count], cells))
            best = flat.argmax(axis=-1) if cells else np.zeros(extents[:count], int)
            self._memo[key] = np.unravel_index(best, extents[count:]) if cells else [best] * len(extents)
        return list(self._memo[key])

    def _condition(self, t: Condition, ranges: dict[str, int]) -> Array:
        if t.op in ("true", "false"):
            return t.op == "true"
        a = [self.value(x, ranges) for x in t.args]
        if t.op == "not":
            return np.logical_not(a[0])
        if t.op in ("and", "or"):
            return np.logical_and(*a) if t.op == "and" else np.logical_or(*a)
        relations: dict[str, Any] = {"==": np.equal, "<=": np.less_equal, "<": np.less}
        return relations[t.op.removeprefix("index").removeprefix("value")](*a)

    def _scalar(self, t: Scalar, ranges: dict[str, int]) -> Array:
        a = t.args
        if t.op == "number":
            return float(a[0])
        if t.op == "constant":
            return getattr(math, a[0])
        if t.op == "integer":
            return np.multiply(1.0, self.value(a[0], ranges))
        if t.op == "access":
            return _read(self.tensors[a[0]], [self.value(i, ranges) for i in a[1:]], np.nan)
        if t.op == "add":
            return self.value(a[0], ranges) + self.value(a[1], ranges)
        if t.op == "mul":
            factors = product_factors(t)
            product: Array = 1.0
            for f in factors:
                if f.op != "indicator":
                    product = product * self.value(f, ranges)
            for f in factors:
                if f.op == "indicator":
                    product = np.where(self.value(f.args[0], ranges), product, 0.0)
            return product
        if t.op == "reciprocal":
            return np.divide(1.0, self.value(a[0], ranges))
        if t.op == "function":
            return FUNCTIONS[a[0]](self.value(a[1], ranges))
        if t.op == "indicator":
            return np.where(self.value(a[0], ranges), 1.0, 0.0)
        if t.op == "where":
            return np.where(*(self.value(x, ranges) for x in a))
        name, extent, body = a
        count = self.value(extent, ranges)
        inner = {**ranges, name: max(0, int(np.max(count, initial=0)))}
        terms = self.value(body, inner)
        axis = self.axis(name)
        if np.ndim(count):
            terms = np.where(self.value(variable(name), inner) < count, terms, 0.0)
        if np.ndim(terms) == 0 or np.shape(terms)[axis] != inner[name]:
            return terms * np.maximum(count, 0)
        return np.sum(terms, axis=axis, keepdims=True)


def _read(tensor: Array, indices: list[Array], outside: float) -> Array:
    if not indices:
        return tensor[()]
    inside: Array = True
    clipped = []
    for i, n in zip(indices, tensor.shape, strict=True):
        inside = np.logical_and(inside, np.logical_and(np.greater_equal(i, 0), np.less(i, n)))
        clipped.append(np.clip(i, 0, max(n - 1, 0)))
    if tensor.size == 0:
        return np.where(inside, outside, outside)
    return np.where(inside, tensor[tuple(clipped)], outside)


# ---------------------------------------------------------------- where two rules differ
Entry = tuple[str, tuple[int, ...], tuple[int, ...]]


def differing_entries(kind: str, case: Case, at: ArrayEvaluation, term: Callable[[str], Scalar],
                      shape: Callable[[str], tuple[int, ...]], inputs: tuple[str, ...]) -> Iterator[Entry]:
    """Entries (x, i, o) of the Jacobian at which the two sides of `adjoint` or of `derivative` differ in floats."""
    rng = np.random.default_rng(len(case.op.name))
    outputs = dict(zip(case.index_names("g"), shape("g"), strict=True))
    everywhere = np.ones(shape("g"))
    for x in case.differentiable:
        at.set_direction("d" + x, np.zeros(shape(x)))
    for x in inputs:
        elements = dict(zip((f"i_{k}" for k in range(len(shape(x)))), shape(x), strict=True))

        def along(values: Array, x: str = x) -> Array:
            at.set_direction("d" + x, values)
            return at.array(term("jvp"), outputs)

        if kind == "derivative":
            wanted = at.array(term("slope " + x), {**outputs, **elements})
            wanted = wanted.reshape((everywhere.size, math.prod(shape(x))))
            dx = rng.normal(size=shape(x))
            got, want = along(dx).ravel(), wanted @ dx.ravel()
            scale = np.abs(wanted) @ np.abs(dx.ravel())
            for n in np.flatnonzero(_far(got, want, scale)):
                for k, i in enumerate(np.ndindex(*shape(x))):
                    if _far(along(_unit(shape(x), i)).ravel()[n], wanted[n, k], 1 + np.abs(wanted[n, k])):
                        yield x, i, tuple(map(int, np.unravel_index(n, shape("g"))))
                        break
        else:
            g = rng.normal(size=shape("g"))
            cells = dict(zip(case.index_names(x), shape(x), strict=True))
            at.set_direction("g", g)
            back = at.array(term(x), cells)
            dx = rng.normal(size=shape(x))
            there = along(dx)
            left, right = np.sum(there * g), np.sum(back * dx)
            if _far(left, right, np.sum(np.abs(there * g)) + np.sum(np.abs(back * dx))):
                for i in np.ndindex(*shape(x)):
                    column = along(_unit(shape(x), i))
                    if _far(np.sum(column * g), back[i], np.sum(np.abs(column * g)) + np.abs(back[i])):
                        for o in np.ndindex(*shape("g")):
                            at.set_direction("g", _unit(shape("g"), o))
                            entry = at.array(term(x), cells)[i]
                            if _far(column[o], entry, np.abs(column[o]) + np.abs(entry)):
                                yield x, i, o
                                break
                        break
        at.set_direction("d" + x, np.zeros(shape(x)))


def _far(a: Array, b: Array, scale: Array) -> Array:
    return ~(np.abs(a - b) <= TOLERANCE * (1e-3 + scale))


def _unit(shape: tuple[int, ...], at: tuple[int, ...]) -> Array:
    values = np.zeros(shape)
    values[at] = 1.0
    return values
