"""TRUSTED. The term language: integer indices, conditions and real scalars over named indices.

A term is immutable and equal to another exactly when it is built the same way: equality and hashing go by a 128-bit
digest of the structure, so terms can be shared, used as dictionary keys and sorted the same way in every process.

    Index       integer expressions: constants, variables, + * // %, applications of index tensors and selections
    Condition   truth values: comparisons of indices, comparisons of values, and, or, not
    Scalar      real expressions: tensor access, arithmetic, functions, guards [c], choices, bounded sums

Bound variables of sums carry fresh names ("k#7"); substitution renames a sum rather than capture a variable.
Python's operators build terms; `equal(a, b)` is equality as a condition, because `==` compares the terms themselves.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import Any, TypeVar, overload

__all__ = [
    "Condition", "ConditionTensor", "Extent", "FALSE", "Index", "IndexTensor", "ONE", "PI", "Scalar", "Sum", "TRUE",
    "Tensor", "ZERO",
    "access", "apply", "atom_conditions", "conjunction", "conjuncts", "equal", "flatten_indices", "free_names",
    "free_variables", "fresh_name", "fresh_names", "function", "in_range", "indicator", "numbered_binders",
    "product_factors", "rename_binders", "replace", "scalar_sum", "subterms", "substitute", "to_index", "to_scalar",
    "variable", "where",
]


class Term:
    """A node: its sort is its class, `op` its head, `args` its children and payload (names, numbers)."""

    __slots__ = ("_free", "_hash", "_names", "args", "digest", "has_sum", "op")
    sort = "Term"
    op: str
    args: tuple[Any, ...]
    digest: bytes
    has_sum: bool

    def __init__(self, op: str, *args: Any) -> None:
        structure, has_sum = f"{self.sort} {op}".encode(), op == "sum"
        for a in args:
            if isinstance(a, Term):
                structure += a.digest
                has_sum = has_sum or a.has_sum
            else:
                structure += f"|{a!r}|".encode()
        self.op, self.args, self.has_sum = op, args, has_sum
        self.digest = blake2b(structure, digest_size=16).digest()
        self._hash = int.from_bytes(self.digest[:8], "little")
        self._free: frozenset[str] | None = None
        self._names: tuple[str, ...] | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Term) and self.digest == other.digest)

    def __repr__(self) -> str:
        from .printing import to_text

        return to_text(self)


class Index(Term):
    """An integer."""

    __slots__ = ()
    sort = "Index"
    __hash__ = Term.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Term):
            return self.digest == other.digest
        if isinstance(other, int):
            raise TypeError(f"{self!r} == {other!r} compares a term with a number: use equal(a, b) for the condition")
        return False

    def __bool__(self) -> bool:
        return bool(~equal(self, 0))

    def __add__(self, other: Index | int) -> Index:
        if not isinstance(other, (Index, int)):
            return NotImplemented
        a, b = self, to_index(other)
        if a.op == b.op == "constant":
            return to_index(a.args[0] + b.args[0])
        return b if a == _I0 else a if b == _I0 else Index("+", a, b)

    def __radd__(self, other: int) -> Index:
        return to_index(other) + self

    def __sub__(self, other: Index | int) -> Index:
        if not isinstance(other, (Index, int)):
            return NotImplemented
        return self + to_index(-1) * to_index(other)

    def __rsub__(self, other: int) -> Index:
        return to_index(other) - self

    def __neg__(self) -> Index:
        return to_index(-1) * self

    def __mul__(self, other: Index | int) -> Index:
        if not isinstance(other, (Index, int)):
            return NotImplemented
        a, b = self, to_index(other)
        if a.op == b.op == "constant":
            return to_index(a.args[0] * b.args[0])
        if _I0 in (a, b):
            return _I0
        return b if a == _I1 else a if b == _I1 else Index("*", a, b)

    def __rmul__(self, other: int) -> Index:
        return to_index(other) * self

    def __floordiv__(self, other: Index | int) -> Index:
        a, b = self, to_index(other)
        if a.op == b.op == "constant" and b.args[0] > 0:
            return to_index(a.args[0] // b.args[0])
        return a if b == _I1 else Index("//", a, b)

    def __rfloordiv__(self, other: int) -> Index:
        return to_index(other) // self

    def __mod__(self, other: Index | int) -> Index:
        a, b = self, to_index(other)
        if a.op == b.op == "constant" and b.args[0] > 0:
            return to_index(a.args[0] % b.args[0])
        return _I0 if b == _I1 else Index("%", a, b)

    def __rmod__(self, other: int) -> Index:
        return to_index(other) % self

    def __le__(self, other: Index | int) -> Condition:
        return _index_less_equal(self, to_index(other))

    def __lt__(self, other: Index | int) -> Condition:
        return _index_less_equal(self + 1, to_index(other))

    def __ge__(self, other: Index | int) -> Condition:
        return _index_less_equal(to_index(other), self)

    def __gt__(self, other: Index | int) -> Condition:
        return _index_less_equal(to_index(other) + 1, self)


class Extent(Index):
    """A named extent: an Index that can also be iterated inside Sum(...), where it yields one index below it."""

    __slots__ = ("name",)

    def __init__(self, name: str, value: Index) -> None:
        super().__init__(value.op, *value.args)
        self.name = name

    def __iter__(self) -> Iterator[Index]:
        return bind(self.name, self)


class Condition(Term):
    """A truth value. `bool()` works on the constants and asks the running path explorer about anything else."""

    __slots__ = ()
    sort = "Condition"
    decide: Callable[[Condition], bool] | None = None  # set by symbolic.explorer while it runs

    def __and__(self, other: Condition | bool) -> Condition:
        a, b = self, to_condition(other)
        if FALSE in (a, b):
            return FALSE
        return b if a == TRUE else a if b == TRUE or a == b else Condition("and", a, b)

    __rand__ = __and__

    def __or__(self, other: Condition | bool) -> Condition:
        a, b = self, to_condition(other)
        if TRUE in (a, b):
            return TRUE
        return b if a == FALSE else a if b == FALSE or a == b else Condition("or", a, b)

    __ror__ = __or__

    def __invert__(self) -> Condition:
        if self.op == "not":
            return self.args[0]  # type: ignore[no-any-return]
        return FALSE if self == TRUE else TRUE if self == FALSE else Condition("not", self)

    def __bool__(self) -> bool:
        if self.op in ("true", "false"):
            return self.op == "true"
        if Condition.decide is None:
            raise TypeError(f"the condition {self!r} has no truth value here: "
                            f"use indicator(c) * term or where(c, a, b)")
        return Condition.decide(self)


class Scalar(Term):
    """A real number."""

    __slots__ = ()
    sort = "Scalar"
    on_divisor: Callable[[Scalar], None] | None = None  # set by symbolic.ledger while a kernel runs; 0 * t then stays

    def __bool__(self) -> bool:
        return bool(~equal(self, ZERO))

    def __add__(self, other: Scalar | Index | Fraction | int) -> Scalar:
        b = _operand(other)
        if b is None:
            return NotImplemented
        if self.op == b.op == "number":
            return to_scalar(self.args[0] + b.args[0])
        return b if self == ZERO else self if b == ZERO else Scalar("add", self, b)

    def __radd__(self, other: Index | Fraction | int) -> Scalar:
        return to_scalar(other) + self

    def __sub__(self, other: Scalar | Index | Fraction | int) -> Scalar:
        b = _operand(other)
        return NotImplemented if b is None else self + (-b)

    def __rsub__(self, other: Index | Fraction | int) -> Scalar:
        return to_scalar(other) - self

    def __neg__(self) -> Scalar:
        return MINUS_ONE * self

    def __mul__(self, other: Scalar | Index | Fraction | int) -> Scalar:
        b = _operand(other)
        if b is None:
            return NotImplemented
        if self.op == b.op == "number":
            return to_scalar(self.args[0] * b.args[0])
        if ZERO in (self, b) and (Scalar.on_divisor is None or "access" in (self.op, b.op)):
            return ZERO
        return b if self == ONE else self if b == ONE else Scalar("mul", self, b)

    def __rmul__(self, other: Index | Fraction | int) -> Scalar:
        return to_scalar(other) * self

    def __truediv__(self, other: Scalar | Index | Fraction | int) -> Scalar:
        b = _operand(other)
        return NotImplemented if b is None else self * reciprocal(b)

    def __rtruediv__(self, other: Index | Fraction | int) -> Scalar:
        return to_scalar(other) / self

    def __pow__(self, exponent: int) -> Scalar:
        if not isinstance(exponent, int):
            return NotImplemented
        result = ONE
        for _ in range(abs(exponent)):
            result = result * self
        return result if exponent >= 0 else reciprocal(result)

    def __lt__(self, other: Scalar | Index | Fraction | int) -> Condition:
        return _compare("value<", self, to_scalar(other))

    def __le__(self, other: Scalar | Index | Fraction | int) -> Condition:
        return _compare("value<=", self, to_scalar(other))

    def __gt__(self, other: Scalar | Index | Fraction | int) -> Condition:
        return _compare("value<", to_scalar(other), self)

    def __ge__(self, other: Scalar | Index | Fraction | int) -> Condition:
        return _compare("value<=", to_scalar(other), self)


# ---------------------------------------------------------------- constants and constructors
def to_index(value: Index | int) -> Index:
    return value if isinstance(value, Index) else _constant(int(value))


@lru_cache(maxsize=1 << 12)
def _constant(value: int) -> Index:
    return Index("constant", value)


def to_condition(value: Condition | bool) -> Condition:
    return value if isinstance(value, Condition) else TRUE if value else FALSE


def to_scalar(value: Scalar | Index | Fraction | int) -> Scalar:
    if isinstance(value, Scalar):
        return value
    if isinstance(value, Index):
        return to_scalar(value.args[0]) if value.op == "constant" else Scalar("integer", value)
    return _number(value)


@lru_cache(maxsize=1 << 12)
def _number(value: Fraction | int) -> Scalar:
    return Scalar("number", Fraction(value))


def _operand(value: object) -> Scalar | None:
    """`value` as a scalar, or None where Python should try the other operand's method."""
    return to_scalar(value) if isinstance(value, (Scalar, Index, Fraction, int)) else None


_I0, _I1 = Index("constant", 0), Index("constant", 1)
TRUE, FALSE = Condition("true"), Condition("false")
ZERO, ONE, MINUS_ONE = (Scalar("number", Fraction(n)) for n in (0, 1, -1))
PI = Scalar("constant", "pi")
SPECIAL_VALUES = {("exp", ZERO): ONE, ("log", ONE): ZERO, ("sqrt", ZERO): ZERO, ("sqrt", ONE): ONE,
                  ("tanh", ZERO): ZERO, ("sin", ZERO): ZERO, ("cos", ZERO): ONE, ("erf", ZERO): ZERO}
_RELATION: dict[str, Callable[[Any, Any], bool]] = {
    "value<": lambda a, b: a < b, "value<=": lambda a, b: a <= b, "value==": lambda a, b: a == b}


def _compare(op: str, a: Scalar, b: Scalar) -> Condition:
    if a.op == b.op == "number":
        return TRUE if _RELATION[op](a.args[0], b.args[0]) else FALSE
    if a.has_sum or b.has_sum:  # sums inside conditions carry names of their own: equal conditions are equal terms
        a, b = numbered_binders(a), numbered_binders(b)
    if a == b:
        return FALSE if op == "value<" else TRUE
    return Condition(op, a, b)


def _index_less_equal(a: Index, b: Index) -> Condition:
    if a.op == b.op == "constant":
        return TRUE if a.args[0] <= b.args[0] else FALSE
    return Condition("index<=", a, b)


def equal(a: Any, b: Any) -> Condition:
    """a = b as a condition, on indices (both Index or int) or on values."""
    if isinstance(a, (Index, int)) and isinstance(b, (Index, int)):
        a, b = to_index(a), to_index(b)
        if a == b:
            return TRUE
        return FALSE if a.op == b.op == "constant" else Condition("index==", a, b)
    a, b = to_scalar(a), to_scalar(b)
    return _compare("value==", *((a, b) if a.digest <= b.digest else (b, a)))


def in_range(i: Index | int, extent: Index | int) -> Condition:
    return (to_index(i) >= 0) & (to_index(i) < extent)


@lru_cache(maxsize=1 << 12)
def variable(name: str) -> Index:
    return Index("variable", name)


def apply(name: str, *indices: Index | int) -> Index:
    """The value of an index tensor or of a selection."""
    return Index("apply", name, *map(to_index, indices))


def access(name: str, *indices: Index | int) -> Scalar:
    return Scalar("access", name, *map(to_index, indices))


def reciprocal(x: Scalar) -> Scalar:
    """1/x. That x is not zero is an obligation of whoever wrote it (kind `bounds`, or the run's side conditions)."""
    if x.op == "number" and x.args[0] != 0:
        return to_scalar(1 / x.args[0])
    if Scalar.on_divisor is not None:
        Scalar.on_divisor(x)
    return Scalar("reciprocal", x)


def function(name: str, x: Scalar | Index | Fraction | int) -> Scalar:
    x = to_scalar(x)
    value = SPECIAL_VALUES.get((name, x))
    return value if value is not None else Scalar("function", name, x)


def indicator(*conditions: Condition | bool) -> Scalar:
    """[c]: 1 where the conditions hold, else 0. A product with a false guard is 0 whatever its other factors are."""
    c = TRUE
    for condition in conditions:
        c = c & to_condition(condition)
    return ONE if c == TRUE else ZERO if c == FALSE else Scalar("indicator", c)


def where(c: Condition | bool, a: Scalar | Index | Fraction | int, b: Scalar | Index | Fraction | int) -> Scalar:
    c, a, b = to_condition(c), to_scalar(a), to_scalar(b)
    if c.op == "not":
        c, a, b = c.args[0], b, a
    return a if c == TRUE or a == b else b if c == FALSE else Scalar("where", c, a, b)


class Tensor:
    """A named real tensor; `x[i, j]` is an access. A tuple of indices (the batch axes) may stand for several."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, indices: Any) -> Scalar:
        return access(self.name, *flatten_indices(indices))


class IndexTensor(Tensor):
    """A named integer tensor: `ids[t]` is an Index."""

    def __getitem__(self, indices: Any) -> Index:  # type: ignore[override]
        return apply(self.name, *flatten_indices(indices))


class ConditionTensor(Tensor):
    """A named Boolean tensor: `mask[n, m]` is a Condition. It is an index tensor whose elements are compared with 1."""

    def __getitem__(self, indices: Any) -> Condition:  # type: ignore[override]
        return equal(apply(self.name, *flatten_indices(indices)), 1)


def flatten_indices(indices: Any) -> list[Index | int]:
    if isinstance(indices, tuple):
        return [j for i in indices for j in flatten_indices(i)]
    return [indices]


# ---------------------------------------------------------------- sums
_counter = count()
_open_sums: list[list[tuple[str, Index]]] = []


def fresh_name(base: str) -> str:
    return f"{base.split('#')[0]}#{next(_counter)}"


class fresh_names:
    """`with fresh_names():` numbers bound variables from 0, so that what is proved inside reads the same every time."""

    def __enter__(self) -> None:
        global _counter
        self._outer, _counter = _counter, count()

    def __exit__(self, *_: object) -> None:
        global _counter
        _counter = self._outer


def bind(name: str, extent: Index) -> Iterator[Index]:
    """Iterating an extent inside `Sum(...)` yields one fresh index, which the enclosing Sum binds."""
    if not _open_sums:
        raise TypeError(f"an extent ({name}) can be iterated only inside Sum(... for i in size.{name})")
    v = fresh_name(name.lower())
    _open_sums[-1].append((v, extent))
    yield variable(v)


def Sum(terms: Iterator[Scalar | Index | int]) -> Scalar:
    """Sum(a[n, k] * b[k, m] for k in size.K): the bounded sum over one or more extents."""
    _open_sums.append([])
    try:
        body = to_scalar(next(terms))
    finally:
        binders = _open_sums.pop()
    for name, extent in reversed(binders):
        body = scalar_sum(name, extent, body)
    return body


def scalar_sum(name: str, extent: Index, body: Scalar) -> Scalar:
    return ZERO if body == ZERO else Scalar("sum", name, extent, body)


# ---------------------------------------------------------------- walking, substituting
T = TypeVar("T", bound=Term)


def free_variables(t: Term) -> frozenset[str]:
    """Names of index variables in t that no sum of t binds."""
    free = t._free
    if free is None:
        if t.op == "variable":
            free = frozenset({t.args[0]})
        else:
            free = _NOTHING
            for a in t.args:
                if isinstance(a, Term):
                    more = a._free if a._free is not None else free_variables(a)
                    free = free | more if free and more and more is not free else free or more
            if t.op == "sum":
                free -= {t.args[0]}
        t._free = free
    return free


_NOTHING: frozenset[str] = frozenset()


def free_names(t: Term) -> tuple[str, ...]:
    """The same in order."""
    if t._names is None:
        t._names = tuple(sorted(free_variables(t)))
    return t._names


def subterms(t: Term) -> Iterator[Term]:
    """Every distinct subterm, children after parents."""
    seen, todo = {t}, [t]
    while todo:
        x = todo.pop()
        yield x
        for a in x.args:
            if isinstance(a, Term) and a not in seen:
                seen.add(a)
                todo.append(a)


def rebuild(t: Term, args: tuple[Any, ...]) -> Term:
    """t's head on new arguments, through the constructors, so that constants fold."""
    if args == t.args:
        return t
    build = _BUILD.get((t.sort, t.op))
    return build(*args) if build else type(t)(t.op, *args)


_BUILD: dict[tuple[str, str], Callable[..., Term]] = {
    ("Index", "+"): lambda a, b: a + b, ("Index", "*"): lambda a, b: a * b,
    ("Index", "//"): lambda a, b: a // b, ("Index", "%"): lambda a, b: a % b,
    ("Condition", "index<="): lambda a, b: a <= b, ("Condition", "index=="): equal, ("Condition", "value=="): equal,
    ("Condition", "value<"): lambda a, b: a < b, ("Condition", "value<="): lambda a, b: a <= b,
    ("Condition", "and"): lambda a, b: a & b, ("Condition", "or"): lambda a, b: a | b,
    ("Condition", "not"): lambda a: ~a,
    ("Scalar", "add"): lambda a, b: a + b, ("Scalar", "mul"): lambda a, b: a * b, ("Scalar", "integer"): to_scalar,
    ("Scalar", "reciprocal"): reciprocal, ("Scalar", "function"): function, ("Scalar", "indicator"): indicator,
    ("Scalar", "where"): where, ("Scalar", "sum"): scalar_sum,
}


@overload
def replace(t: Index, step: Callable[[Term], Term | None]) -> Index: ...
@overload
def replace(t: Condition, step: Callable[[Term], Term | None]) -> Condition: ...
@overload
def replace(t: Scalar, step: Callable[[Term], Term | None]) -> Scalar: ...


def replace(t: Term, step: Callable[[Term], Term | None]) -> Term:
    """t with every subterm x for which step(x) is not None replaced by it, top down, each shared subterm once."""
    done: dict[Term, Term] = {}

    def go(x: Term) -> Term:
        y = done.get(x)
        if y is None:
            y = step(x)
            if y is None:
                y = rebuild(x, tuple([go(a) if isinstance(a, Term) else a for a in x.args]))
            done[x] = y
        return y

    return go(t)


def substitute(t: T, values: Mapping[str, Index | int]) -> T:
    """t with free index variables replaced. A sum that binds one of the names, or would capture one, is renamed."""
    names = values.keys()
    captured = frozenset().union(*(free_variables(v) for v in values.values() if isinstance(v, Index)))

    def step(x: Term) -> Term | None:
        if free_variables(x).isdisjoint(names):
            return x
        if x.op == "variable":
            return to_index(values[x.args[0]])
        if x.op == "sum" and (x.args[0] in names or x.args[0] in captured):
            name, extent, body = x.args
            taken = captured | names | free_variables(body)
            new = next(n for n in iter(lambda: fresh_name(name), None) if n not in taken)
            renamed = substitute(body, {name: variable(new)})
            return scalar_sum(new, substitute(extent, values), substitute(renamed, values))
        return None

    return replace(t, step)  # type: ignore[call-overload,no-any-return]


def rename_binders(t: Scalar) -> Scalar:
    """t with fresh names for all its bound variables."""
    new = {x.args[0]: fresh_name(x.args[0]) for x in subterms(t) if x.op == "sum"}

    def step(x: Term) -> Term | None:
        if x.op == "variable" and x.args[0] in new:
            return variable(new[x.args[0]])
        if x.op == "sum":
            return Scalar("sum", new[x.args[0]], go(x.args[1]), go(x.args[2]))
        return None

    def go(x: Any) -> Any:
        return replace(x, step)

    return replace(t, step) if new else t


def numbered_binders(t: Scalar) -> Scalar:
    """t with bound names that depend on its structure only, so that terms equal up to bound names become equal."""
    def step(x: Term) -> Term | None:
        if not x.has_sum:
            return x
        if x.op != "sum":
            return None
        if x not in _numbered:  # a sum's numbering depends on nothing but the sum: it is done once
            if len(_numbered) > MOST_REMEMBERED:
                _numbered.clear()
            _numbered[x] = number(x)
        return _numbered[x]

    def number(x: Term) -> Term:
        name, extent, body = x.args
        body = replace(body, step)
        taken = free_variables(body) | {y.args[0] for y in subterms(body) if y.op == "sum"}
        new = next(n for n in (f"k#{j}:" for j in count()) if n == name or n not in taken)
        return Scalar("sum", new, replace(extent, step), substitute(body, {name: variable(new)}))

    return replace(t, step)


MOST_REMEMBERED = 100_000
_numbered: dict[Term, Term] = {}


def conjuncts(c: Condition) -> list[Condition]:
    if c.op == "and":
        return conjuncts(c.args[0]) + conjuncts(c.args[1])
    return [] if c == TRUE else [c]


def conjunction(conditions: Iterable[Condition]) -> Condition:
    result = TRUE
    for c in conditions:
        result = result & c
    return result


def product_factors(t: Scalar) -> list[Scalar]:
    """The factors of a product, from left to right; a term that is no product is its only factor."""
    return product_factors(t.args[0]) + product_factors(t.args[1]) if t.op == "mul" else [t]


def atom_conditions(t: Term) -> list[Condition]:
    """The comparisons of values that occur in t, in a fixed order."""
    found = {x for x in subterms(t) if isinstance(x, Condition) and x.op.startswith("value")}
    return sorted(found, key=lambda c: c.digest)
