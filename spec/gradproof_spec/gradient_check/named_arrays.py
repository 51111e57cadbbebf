"""TRUSTED. Arrays whose extents may be names: what a user's NumPy function computes for all shapes at once.

A `NamedArray` is a shape of integer terms and one term, its element at the indices @0, @1, ... An operation of NumPy on
it makes the term of the result's element: broadcasting, reductions and indexing are written here and in
`named_functions`, elementwise functions are those of `symbolic.user_meanings`. It is no ndarray, so that nothing NumPy
does goes by unseen: what is not modelled is `Unsupported`. An extent (`x.shape[0]`) is a `NamedExtent`: a comparison of
it is decided by the solver for all extents, else both cases are traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from math import prod
from typing import Any, ClassVar
from weakref import ref as weakref

import numpy as np

from ..index_algebra import canonical
from ..solver import Solver
from ..symbolic import Unsupported
from ..symbolic.ledger import Ledger
from ..symbolic.meanings import COMPARISON
from ..symbolic.user_meanings import USERS, USERS_ARITHMETIC, USERS_LOGIC, Extended
from ..terms import (
    FALSE,
    TRUE,
    ZERO,
    Condition,
    Index,
    Scalar,
    access,
    atom_conditions,
    equal,
    free_variables,
    in_range,
    replace,
    scalar_sum,
    substitute,
    subterms,
    to_condition,
    to_index,
    to_scalar,
    variable,
    where,
)

Body = Scalar | Condition
MOST_PATHS, MOST_BRANCHES = 16, 12  # of one function on values; on extents, in one run of all functions
MOST_NESTED = 4  # choices inside one comparison
EXPANDED = 4  # a sum over so many elements, a number that is known, is written out
MOST_ELEMENTS = 64  # of a machine array that meets one with named extents


# ---------------------------------------------------------------- one run of the functions
class Decisions:
    """The choices of one run: the given ones first, then at each new condition the side where it holds."""

    def __init__(self, script: Sequence[Condition]) -> None:
        self.script, self.taken, self.alternatives = list(script), list[Condition](), list[list[Condition]]()

    def choose(self, c: Condition, feasible: Callable[[Condition], bool]) -> bool:
        if len(self.taken) < len(self.script):
            given = self.script[len(self.taken)]
            if given not in (c, ~c):
                raise Unsupported("a function takes other branches when it is called again")
            value = given == c
        else:
            value = feasible(c)
            if value and feasible(~c):
                self.alternatives.append([*self.taken, ~c])
        self.taken.append(c if value else ~c)
        return value


class Tracing:
    """`with Tracing(...)`: functions called inside run on named arrays. `script`: the choices about extents.

    hypotheses  what is known of the extents, the choices that were taken included
    opaque      tensors of unknown values (maxima, np.empty), on which no result may depend: name -> extents
    """

    active: ClassVar[Tracing | None] = None

    def __init__(self, hypotheses: Sequence[Condition], script: Sequence[Condition], solver: Solver) -> None:
        self.given, self.solver, self.extents = list(hypotheses), solver, Decisions(script)
        self.path = Decisions([])
        self.known: list[Condition] = []  # of values, by the hypotheses of the question
        self.opaque: dict[str, tuple[Index, ...]] = {}
        self._names: dict[Any, str] = {}
        self.ledger = Ledger()

    @property
    def hypotheses(self) -> list[Condition]:
        return [*self.given, *self.extents.taken]

    def __enter__(self) -> Tracing:
        self.ledger.__enter__()
        Tracing.active, Condition.decide = self, self.decide
        return self

    def __exit__(self, *error: Any) -> None:
        Tracing.active = Condition.decide = None
        self.ledger.__exit__(*error)

    def _ask(self, conditions: Sequence[Condition], goal: Condition | None) -> bool | None:
        Condition.decide, Scalar.on_divisor = None, None  # the solver works on terms too
        try:
            return self.solver.satisfiable(conditions) if goal is None else self.solver.valid(conditions, goal)
        finally:
            Condition.decide, Scalar.on_divisor = self.decide, self.ledger.divisor

    def proves(self, c: Condition) -> bool:
        return c == TRUE or (c != FALSE and self._ask(self.hypotheses, c) is True)

    def decide(self, c: Condition) -> bool:
        if c.op in ("true", "false"):
            return c.op == "true"
        if free_variables(c) - extent_names(self.given):
            raise Unsupported("the truth value of an array: use np.where for a choice")
        if atom_conditions(c):
            if len(self.path.alternatives) > MOST_PATHS:
                raise Unsupported(f"more than {MOST_PATHS} branches on values")
            for taken in self.path.taken:
                if taken in (c, ~c):
                    return taken == c
            known = [*self.hypotheses, *self.known, *self.path.taken]
            return self.path.choose(c, lambda side: self._ask([*known, side], None) is not False)
        if self.proves(c):
            return True
        if self.proves(~c):
            return False
        if len(self.extents.taken) > MOST_BRANCHES:
            raise Unsupported(f"more than {MOST_BRANCHES} branches on extents")
        return self.extents.choose(c, lambda side: self._ask([*self.hypotheses, side], None) is not False)

    def unknown(self, key: Any, shape: Sequence[Index]) -> NamedArray:
        """An array of unknown values, the same for the same key."""
        name = self._names.setdefault(key, f"unknown@{len(self._names)}")
        self.opaque[name] = tuple(shape)
        return NamedArray(shape, access(name, *(axis(k) for k in range(len(shape)))))


def tracing() -> Tracing:
    if Tracing.active is None:
        raise Unsupported("an array with named extents outside of the check")
    return Tracing.active


def extent_names(conditions: Sequence[Condition]) -> frozenset[str]:
    return frozenset().union(*(free_variables(c) for c in conditions))


# ---------------------------------------------------------------- extents
def axis(k: int) -> Index:
    return variable(f"@{k}")


def is_number(n: Index, value: int) -> bool:
    return n.op == "constant" and n.args[0] == value


def same(a: Index, b: Index) -> bool:
    return a == b or canonical(a) == canonical(b) or tracing().proves(equal(a, b))


def extent(x: Any) -> Index:
    """An integer, symbolic or not, as a term."""
    if isinstance(x, NamedExtent):
        return x.term
    if isinstance(x, (int, np.integer)) and not isinstance(x, bool):  # a NamedExtent is an int too: first
        return to_index(int(x))
    raise Unsupported(f"{type(x).__name__} {x!r} as an extent or an index of an array with named extents")


def as_python(n: Index) -> Any:
    n = canonical(n)
    return n.args[0] if n.op == "constant" else NamedExtent(n)


def number_of(n: Index) -> Scalar:
    """An integer as a real number; a product as a product, which shows that it is positive."""
    if n.op == "*":
        return number_of(n.args[0]) * number_of(n.args[1])
    return number_of(n.args[0]) + number_of(n.args[1]) if n.op == "+" else to_scalar(n)


def index_of(t: Body) -> Index | None:
    """The integer that a scalar is by its form."""
    if t.op == "integer":
        return t.args[0]  # type: ignore[no-any-return]
    if t.op == "number" and t.args[0].denominator == 1:
        return to_index(int(t.args[0]))
    if t.op in ("add", "mul"):
        a, b = index_of(t.args[0]), index_of(t.args[1])
        if a is not None and b is not None:
            return a + b if t.op == "add" else a * b
    return None


class NamedExtent:
    """An integer >= 0 that is not known. Comparisons are truth values, for all extents or in the case traced."""

    __slots__ = ("term",)

    def __init__(self, term: Index) -> None:
        self.term = term

    def __repr__(self) -> str:
        return repr(self.term)

    def __bool__(self) -> bool:
        return bool(~equal(self.term, 0))

    def __index__(self) -> int:
        raise Unsupported(f"the extent {self!r} as a machine integer (range, len, list, an unmodelled function)")

    def __float__(self) -> float:
        raise Unsupported(f"float or math.* of the extent {self!r}: use np.sqrt for math.sqrt")

    __int__ = __index__
    __hash__ = __str__ = __round__ = __trunc__ = __ceil__ = __index__  # type: ignore[assignment]

    def __format__(self, spec: str) -> str:
        return str(self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _apply_ufunc(ufunc, method, inputs, kwargs)

    def __neg__(self) -> Any:
        return as_python(-self.term)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # what isinstance sees
        return int

    def __pow__(self, exponent: Any) -> Any:
        if type(exponent) is int and exponent >= 0:
            return as_python(prod([self.term] * exponent, start=to_index(1)))
        return np.power(as_named(self), exponent)

    def __truediv__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, NamedArray) else np.divide(as_named(self), other)

    def __rtruediv__(self, other: Any) -> Any:
        return np.divide(other, as_named(self))


def _integer_method(name: str, operation: Callable[[Index, Index], Any], ufunc: np.ufunc, reflected: bool) -> None:
    def method(self: NamedExtent, other: Any) -> Any:
        if isinstance(other, (NamedArray, np.ndarray)):
            return NotImplemented
        if not isinstance(other, (NamedExtent, int, np.integer)):
            if not isinstance(other, (float, np.floating)):
                return NotImplemented if other is None or isinstance(other, (str, tuple, list)) else extent(other)
            given: tuple[Any, Any] = (other, self) if reflected else (self, other)
            result = ufunc(*map(as_named, given))
            return bool(result) if ufunc in COMPARISON else result
        a, b = extent(other), self.term
        result = operation(a, b) if reflected else operation(b, a)
        return bool(result) if isinstance(result, Condition) else as_python(result)

    setattr(NamedExtent, name, method)


def _divisor(n: Index) -> Index:
    if not n > 0:
        raise Unsupported("// or % by an extent that may be 0 or negative")
    return n


_ARITHMETIC: tuple[tuple[str, Callable[[Index, Index], Any], np.ufunc], ...] = (
    ("add", lambda a, b: a + b, np.add), ("sub", lambda a, b: a - b, np.subtract),
    ("mul", lambda a, b: a * b, np.multiply), ("floordiv", lambda a, b: a // _divisor(b), np.floor_divide),
    ("mod", lambda a, b: a % _divisor(b), np.remainder),
)  # fmt: skip
_RELATIONS: tuple[tuple[str, Callable[[Index, Index], Any], np.ufunc], ...] = (
    ("lt", lambda a, b: a < b, np.less), ("le", lambda a, b: a <= b, np.less_equal),
    ("gt", lambda a, b: a > b, np.greater), ("ge", lambda a, b: a >= b, np.greater_equal),
    ("eq", equal, np.equal), ("ne", lambda a, b: ~equal(a, b), np.not_equal),
)  # fmt: skip
for _name, _operation, _ufunc in _ARITHMETIC:
    _integer_method(f"__{_name}__", _operation, _ufunc, False)
    _integer_method(f"__r{_name}__", _operation, _ufunc, True)
for _name, _operation, _ufunc in _RELATIONS:
    _integer_method(f"__{_name}__", _operation, _ufunc, False)


# ---------------------------------------------------------------- arrays
class NamedArray(np.lib.mixins.NDArrayOperatorsMixin):
    """shape: terms. body: the element at @0, @1, ... `kind`: "input" (read-only), "view" (of another array's memory),
    "number" (what NumPy returns as a number), "own" (may be written).

    views: of its memory, as long as somebody has them: a write would have to reach them too
    whole: of x[key], x and key
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, extents: Sequence[Index | int], body: Body, kind: str = "") -> None:
        self.extents = tuple(canonical(to_index(n)) for n in extents)
        self.body = body
        self.kind = kind or ("own" if self.extents else "number")
        self.owner: NamedArray = self  # of its memory
        self.views: list[weakref[NamedArray]] = []
        self.whole: tuple[NamedArray, Any] | None = None

    # ---- what it is
    @property
    def shape(self) -> tuple[Any, ...]:
        return tuple(map(as_python, self.extents))

    @property
    def ndim(self) -> int:
        return len(self.extents)

    @property
    def size(self) -> Any:
        return as_python(prod(self.extents, start=to_index(1)))

    @property
    def boolean(self) -> bool:
        return isinstance(self.body, Condition)

    @property
    def dtype(self) -> Any:
        return np.dtype(bool if self.boolean else np.float64)

    def at(self, indices: Sequence[Index | int]) -> Body:
        values = {f"@{k}": to_index(i) for k, i in enumerate(indices) if to_index(i) != axis(k)}
        return substitute(self.body, values) if values else self.body

    def derived(self, extents: Sequence[Index | int], indices: Sequence[Index | int], view: bool = True) -> NamedArray:
        """The array of these elements of this one, indices in terms of @0, @1, ... of the new one."""
        found = NamedArray(extents, self.at(indices), "view" if view else "own")
        if view:
            found.shares(self)
        return found

    def shares(self, other: NamedArray) -> None:
        """This array is a view of the other's memory."""
        self.kind, self.owner = "view", other.owner
        self.owner.views.append(weakref(self))

    def require_writable(self, by: NamedArray | None = None) -> None:
        if self.kind != "own" or any(v() is not None and v() is not by for v in self.views):
            raise Unsupported("a write into an argument, a view, or an array of which there is a view: copy it first")

    def __repr__(self) -> str:
        return f"NamedArray({', '.join(map(repr, self.extents))})"

    def __bool__(self) -> bool:
        if any(not is_number(n, 1) for n in self.extents):
            raise Unsupported("the truth value of an array: use np.where for a choice")
        return bool(truth_of(self.at([0] * self.ndim)))

    def __len__(self) -> int:
        if not self.extents or self.extents[0].op != "constant":
            raise Unsupported("len() of an array with a named extent must be a machine integer: use x.shape[0]")
        return int(self.extents[0].args[0])

    def __iter__(self) -> Iterator[Any]:
        if not self.extents or self.extents[0].op != "constant":
            raise Unsupported("a loop over a named extent: use whole arrays")
        return iter([self[k] for k in range(self.extents[0].args[0])])

    def _no_number(self, *_: Any, **__: Any) -> Any:
        raise Unsupported("float(), int(), math.*, .item() or a machine array of an array with named extents: use "
                          "np.exp for math.exp")

    __float__ = __int__ = __index__ = __complex__ = __array__ = _no_number

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        from .named_functions import METHODS

        if name in METHODS:
            return lambda *args, **kwargs: METHODS[name](self, *args, **kwargs)
        raise Unsupported(f"x.{name} is not traced with named extents")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # what isinstance sees: what NumPy would give
        return (np.bool_ if self.boolean else np.float64) if self.kind == "number" else np.ndarray

    @property
    def T(self) -> NamedArray:
        return self.transpose()  # type: ignore[no-any-return]

    @property
    def mT(self) -> NamedArray:
        return self.swapaxes(-1, -2)  # type: ignore[no-any-return]

    @property
    def real(self) -> NamedArray:
        return self

    # ---- NumPy
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .named_functions import FUNCTIONS

        if function not in FUNCTIONS:
            raise Unsupported(f"np.{function.__name__} is not traced with named extents")
        return FUNCTIONS[function](*args, **kwargs)

    # ---- indexing
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, NamedArray) and key.boolean:
            return Masked(self, key)
        places = list(selected(self, key))
        extents = [n for p in places if (n := p.extent) is not None]
        indices, new = [], count()
        for p in places:
            if p.inserted:
                next(new)
            else:
                indices.append(p.start if p.extent is None else p.start + axis(next(new)) * p.step)
        if not extents and Ellipsis not in (key if isinstance(key, tuple) else (key,)):
            return NamedArray((), self.at(indices), "number")
        found = self.derived(extents, indices)
        found.whole = (self, key)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        same_memory = isinstance(value, NamedArray) and value.owner is self and value is not self
        self.require_writable(value if same_memory else None)
        if self.boolean or (index_of(self.body) is not None and self.body.op != "number"):
            raise Unsupported("a write into an array of truth values or integers: use np.where")
        if isinstance(key, NamedArray) and key.boolean:
            self.body = Masked(self, key).written(value)
            return
        inside, indices, extents = TRUE, list[Index](), list[Index]()
        for k, p in enumerate(selected(self, key)):
            if p.inserted:
                raise Unsupported("a write through an index with None")
            if p.extent is None:
                inside = inside & equal(axis(k), p.start)
                continue
            if p.step != to_index(1):
                raise Unsupported("a write into a slice with a step")
            if canonical(p.start) != to_index(0) or not same(p.extent, self.extents[k]):
                inside = inside & in_range(axis(k) - p.start, p.extent)
            indices.append(canonical(axis(k) - p.start))
            extents.append(p.extent)
        given = broadcast_to(as_named(value), extents)
        new = number(given.at(indices))
        self.body = new if inside == TRUE else where(inside, new, number(self.body))
        if same_memory:
            del value.body  # x[1:] = x[:-1]: who keeps that view would have to see it change


class Place:
    """What an index does at one axis: an element (extent None), a range start + step * @, or a new axis of length 1."""

    def __init__(self, start: Index, extent: Index | None, step: Index, inserted: bool = False) -> None:
        self.start, self.extent, self.step, self.inserted = start, extent, step, inserted


def selected(x: NamedArray, key: Any) -> Iterator[Place]:
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(isinstance(k, (NamedArray, np.ndarray, list, bool, np.bool_)) for k in keys):
        raise Unsupported("indexing with an array is not traced with named extents, but for x[mask] with x's shape")
    given = sum(k is not None and k is not Ellipsis for k in keys)
    if sum(k is Ellipsis for k in keys) == 0:
        keys.append(Ellipsis)
    if given > x.ndim or sum(k is Ellipsis for k in keys) > 1:
        raise IndexError(f"too many indices for an array of {x.ndim} axes")
    old = iter(x.extents)
    zero, one = to_index(0), to_index(1)
    for k in keys:
        if k is None:
            yield Place(zero, one, one, True)
        elif k is Ellipsis:
            for _ in range(x.ndim - given):
                yield Place(zero, next(old), one)
        elif isinstance(k, slice):
            yield _slice(k, next(old))
        else:
            i, n = extent(k), next(old)
            if i < 0:
                i = canonical(i + n)
            if i < 0 or not i < n:
                raise IndexError(f"the index {k!r} is outside an axis of {n}")
            yield Place(i, None, one)


def _slice(k: slice, n: Index) -> Place:
    """Python's rule: ends count from the back where negative, and are cut off at both sides."""
    zero, one = to_index(0), to_index(1)
    step = one if k.step is None else extent(k.step)
    if step.op != "constant" or step == zero:
        raise Unsupported("a slice whose step is an extent or 0")

    def end(given: Any, default: Index) -> Index:
        if given is None:
            return default
        i = extent(given)
        if i < 0:
            i = canonical(i + n)
            return zero if i < 0 else i
        return i if i <= n else n

    if step.args[0] < 0:
        if (k.start, k.stop, step.args[0]) != (None, None, -1):
            raise Unsupported("a slice that runs backwards, but for x[::-1]")
        return Place(n - 1, n, step)
    start, stop = end(k.start, zero), end(k.stop, n)
    length = canonical(stop - start)
    if length < 0:
        length = zero
    return Place(start, canonical((length + step - 1) // step), step)


class Masked(np.lib.mixins.NDArrayOperatorsMixin):
    """x[mask], the elements of x where the mask holds: arithmetic, sum, and y[mask] = it."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, x: NamedArray, mask: NamedArray) -> None:
        if x.ndim != mask.ndim or not all(map(same, x.extents, mask.extents)):
            raise Unsupported("x[mask] where the mask has not the shape of x")
        self.x, self.mask = copied(x), copied(mask)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or ufunc is np.matmul or (kwargs and set(kwargs) != {"out"}):
            raise Unsupported(f"np.{ufunc.__name__} of x[mask]")
        values = [self.masked(x) for x in inputs]
        return Masked(ufunc(*values), self.mask)  # x[mask] *= 2 is x[mask] = x[mask] * 2

    def masked(self, x: Any) -> Any:
        if isinstance(x, Masked):
            if x.mask.body != self.mask.body:
                raise Unsupported("x[mask] with y[another mask]")
            return x.x
        if as_named(x).ndim:
            raise Unsupported("x[mask] with an array")
        return x

    def written(self, value: Any) -> Scalar:
        given = broadcast_to(as_named(self.masked(value)), self.x.extents)
        return where(truth_of(self.mask.body), number(given.body), number(self.x.body))

    def sum(self) -> Any:
        return np.where(self.mask, self.x, 0.0).sum()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Unsupported(f"x[mask].{name} is not traced with named extents")


# ---------------------------------------------------------------- values as arrays
def copied(x: NamedArray) -> NamedArray:
    return NamedArray(x.extents, x.body)


def number(body: Any) -> Scalar:
    value = USERS.lift(body)
    if isinstance(value, Extended):
        raise Unsupported("an infinite constant is not traced with named extents: use a finite one, or np.where "
                          "around what it is for")
    return value  # type: ignore[no-any-return]


def as_named(x: Any) -> NamedArray:
    if isinstance(x, NamedArray):
        return x
    if isinstance(x, NamedExtent):
        return NamedArray((), number_of(x.term))
    if isinstance(x, (bool, np.bool_)):
        return NamedArray((), to_condition(bool(x)))
    if isinstance(x, (int, float, np.integer, np.floating)):
        return NamedArray((), number(x))
    if isinstance(x, (list, tuple)):
        if any(isinstance(y, (NamedArray, NamedExtent)) for y in x):
            from .named_functions import stack

            return stack(x)
        return as_named(np.array(x))
    if isinstance(x, np.ndarray) and x.dtype.kind in "bif":
        if x.ndim == 0:
            return as_named(x[()])
        if x.size > MOST_ELEMENTS or x.size == 0:
            raise Unsupported(f"a constant array of {x.size} elements with named extents")
        body = as_named(x.ravel()[-1]).body
        for i in list(np.ndindex(*x.shape))[-2::-1]:
            here = TRUE
            for k, j in enumerate(i):
                here = here & equal(axis(k), j)
            body = choice(here, as_named(x[i]).body, body)
        return NamedArray(x.shape, body)
    raise Unsupported(f"a {type(x).__name__} with an array with named extents")


def truth_of(body: Body) -> Condition:
    return to_condition(USERS.truth(body))


def choice(c: Condition, a: Body, b: Body) -> Body:
    if isinstance(a, Condition) and isinstance(b, Condition):
        return (c & a) | (~c & b)
    return where(c, number(a), number(b))


# ---------------------------------------------------------------- broadcasting, elementwise functions, reductions
def common_extents(shapes: Sequence[Sequence[Index]]) -> list[Index]:
    rank = max(map(len, shapes))
    found: list[Index] = []
    for k in range(rank):
        there = [s[k - rank + len(s)] for s in shapes if k - rank + len(s) >= 0]
        wide = [n for n in there if not is_number(n, 1)]
        for n in wide[1:]:
            if not same(n, wide[0]):
                raise Unsupported(f"an axis of {wide[0]} meets one of {n}: they may differ")
        found.append(wide[0] if wide else there[0])
    return found


def broadcast_to(x: NamedArray, extents: Sequence[Index]) -> NamedArray:
    if x.ndim > len(extents):
        raise ValueError(f"an array of {x.ndim} axes does not broadcast to {len(extents)} axes")
    indices: list[Index] = []
    for k, n in enumerate(x.extents):
        new = k + len(extents) - x.ndim
        narrow = is_number(n, 1) and not is_number(extents[new], 1)
        if not narrow and not same(n, extents[new]):
            raise Unsupported(f"an axis of {n} as one of {extents[new]}: they may differ")
        indices.append(to_index(0) if narrow else axis(new))
    return NamedArray(extents, x.at(indices), "view" if extents else "number")


FOR_TRUTHS = frozenset({"both", "either", "exclusive", "opposite", "equal", "not_equal", "divide"})


def elementwise(name: str, *values: Any) -> NamedArray:
    """A method of the meanings on every element, after broadcasting."""
    arrays = [as_named(v) for v in values]
    extents = common_extents([x.extents for x in arrays])
    bodies = [broadcast_to(x, extents).body for x in arrays]
    if bodies and all(isinstance(b, Condition) for b in bodies):
        name = {"add": "either", "multiply": "both", "maximum": "either", "minimum": "both"}.get(name, name)
        if name not in FOR_TRUTHS:
            raise Unsupported(f"{name} of truth values: use .astype(float)")
    integers = [index_of(b) for b in bodies]
    if name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal") and None not in integers:
        a, b = (to_index(i) for i in integers if i is not None)
        return NamedArray(extents, {"less": a < b, "less_equal": a <= b, "greater": a > b, "greater_equal": a >= b,
                                    "equal": equal(a, b), "not_equal": ~equal(a, b)}[name])  # fmt: skip
    result = getattr(USERS, name)(*bodies)
    if isinstance(result, (bool, np.bool_, Condition)):
        return NamedArray(extents, result if isinstance(result, Condition) else to_condition(bool(result)))
    return NamedArray(extents, number(result))


def bound_name(body: Scalar) -> str:
    """A name for a bound index that depends on the structure of the body only: equal sums are equal terms."""
    taken = free_variables(body) | {t.args[0] for t in subterms(body) if t.op == "sum"}
    return next(n for n in (f"k#{j}:" for j in count()) if n not in taken)


def total(body: Body, name: str, n: Index) -> Scalar:
    """The sum of the body over the index `name` below n."""
    value = number(body)
    if n.op == "constant" and n.args[0] <= EXPANDED:
        result = ZERO
        for i in range(n.args[0]):
            result = result + substitute(value, {name: i})
        return result
    new = bound_name(value)
    return scalar_sum(new, n, substitute(value, {name: variable(new)}))


def axes_of(given: Any, rank: int) -> tuple[int, ...]:
    """NumPy's axis=: None is all of them."""
    if given is None:
        return tuple(range(rank))
    axes = [int(a) for a in (given if isinstance(given, (tuple, list)) else (given,))]
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) < len(axes):
        raise np.exceptions.AxisError(f"axis {given} of an array of {rank} axes")
    return tuple(sorted(a % rank for a in axes))


def without_axes(x: NamedArray, body: Body, axes: Sequence[int], keepdims: bool) -> NamedArray:
    """The array over the remaining axes; body does not mention the others."""
    if keepdims:
        return NamedArray([to_index(1) if k in axes else n for k, n in enumerate(x.extents)], body)
    left = [k for k in range(x.ndim) if k not in axes]
    moved = {f"@{k}": axis(new) for new, k in enumerate(left) if new != k}
    return NamedArray([x.extents[k] for k in left], substitute(body, moved))


def summed(x: NamedArray, axes: Sequence[int], keepdims: bool = False) -> NamedArray:
    body: Body = number(x.body)
    for k in axes:
        body = total(body, f"@{k}", x.extents[k])
    return without_axes(x, body, axes, keepdims)


def count_of(x: NamedArray, axes: Sequence[int]) -> NamedArray:
    """The number of elements along the axes."""
    return NamedArray((), prod((number_of(x.extents[k]) for k in axes), start=to_scalar(1)))


REDUCTIONS = {np.add: np.sum, np.maximum: np.max, np.minimum: np.min, np.logical_and: np.all, np.logical_or: np.any}


def _apply_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    left = dict(kwargs)
    out = left.pop("out", None)
    target = out[0] if isinstance(out, tuple) else out
    masked = next((x for x in inputs if isinstance(x, Masked)), None)
    if masked is not None:
        return masked.__array_ufunc__(ufunc, method, *inputs, **kwargs)
    if left.get("dtype", float) in (float, np.float64):
        left.pop("dtype", None)
    result: Any
    if method == "reduce" and ufunc in REDUCTIONS:
        left.setdefault("axis", 0)
        result = REDUCTIONS[ufunc](as_named(inputs[0]), **left)  # type: ignore[operator]
    elif left:
        raise Unsupported(f"np.{ufunc.__name__}: {', '.join(left)}= is not traced with named extents")
    elif method == "outer":
        a, b = map(as_named, inputs)
        result = ufunc(a[(..., *[None] * b.ndim)], b)
    elif method != "__call__":
        raise Unsupported(f"np.{ufunc.__name__}.{method} is not traced with named extents")
    elif ufunc is np.matmul:
        from .named_functions import matmul

        result = matmul(*inputs)
    elif ufunc in COMPARISON and any(x is None or isinstance(x, str) for x in inputs):
        return ufunc is np.not_equal  # x == None
    elif (name := {**USERS_ARITHMETIC, **USERS_LOGIC, **COMPARISON}.get(ufunc)) is None:
        raise Unsupported(f"np.{ufunc.__name__} is not traced with named extents")
    else:
        result = elementwise(name, *inputs)
    if target is None:
        return result
    if not isinstance(target, NamedArray):
        raise Unsupported(f"np.{ufunc.__name__}: out= an array without named extents")
    if target.kind == "number":  # x += 1 of what NumPy has as a number
        return result
    result = copied(broadcast_to(result, target.extents))
    if target.boolean and not result.boolean:
        raise Unsupported(f"np.{ufunc.__name__} into an array of truth values")
    if target.whole is not None:  # x[key] += 1: through to x, if nobody has another view of x
        x, key = target.whole
        x.require_writable(target)
        kept, x.views = x.views, []
        x[key] = result
        x.views = kept
    else:
        target.require_writable()
    target.body = result.body if target.boolean else number(result.body)
    return target


# ---------------------------------------------------------------- NumPy functions that see no array
@contextmanager
def numpy_with_names() -> Iterator[None]:
    """While users' functions run, np.zeros((n, d)), np.asarray(x) and the like know named extents and arrays."""
    from .named_functions import MAKERS

    originals = {name: getattr(np, name) for name in MAKERS}

    def changed(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if has_names([*args, *kwargs.values()]):
                return MAKERS[name](*args, **kwargs)
            return originals[name](*args, **kwargs)

        return call

    try:
        for name in MAKERS:
            setattr(np, name, changed(name))
        yield
    finally:
        for name, original in originals.items():
            setattr(np, name, original)


def has_names(x: Any) -> bool:
    return isinstance(x, (NamedArray, NamedExtent)) or (isinstance(x, (list, tuple)) and any(map(has_names, x)))


def plain_choices(t: Body) -> Body:
    """The same with no choice inside a comparison of values: where(c, p, q) < b is c and p < b, or not c and q < b."""

    def compared(op: str, a: Scalar, b: Scalar, left: int) -> Condition:
        for k, side in enumerate((a, b)):
            c = next((x.args[0] for x in subterms(side) if x.op == "where"
                      and free_variables(x.args[0]) <= free_variables(side)), None)  # fmt: skip
            if c is not None and left:
                first, second = (replace(side, lambda x, c=c, at=at: (  # type: ignore[misc]
                    x.args[at] if x.op == "where" and x.args[0] == c else None)) for at in (1, 2))  # fmt: skip
                yes, no = (compared(op, v, b, left - 1) if k == 0 else compared(op, a, v, left - 1)
                           for v in (first, second))  # fmt: skip
                either: Condition = (c & yes) | (~c & no)
                return either
        result: Condition = a < b if op == "value<" else a <= b if op == "value<=" else equal(a, b)
        return result

    def step(x: Any) -> Any:
        if not (isinstance(x, Condition) and x.op.startswith("value")):
            return None
        a, b = (replace(a, step) for a in x.args)
        return compared(x.op, a, b, MOST_NESTED)

    return replace(t, step)


__all__ = ["Masked", "NamedArray", "NamedExtent", "Tracing", "numpy_with_names", "plain_choices"]
