"""TRUSTED. NumPy's functions on arrays with named extents: reductions, products, shapes. Others are Unsupported."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..index_algebra import canonical, from_polynomial, index_polynomial
from ..symbolic import Unsupported
from ..symbolic.user_meanings import USERS
from ..terms import TRUE, ZERO, Index, equal, indicator, substitute, to_index, variable
from .named_arrays import (
    EXPANDED,
    NamedArray,
    as_named,
    axes_of,
    axis,
    broadcast_to,
    choice,
    common_extents,
    copied,
    count_of,
    elementwise,
    extent,
    index_of,
    is_number,
    number,
    number_of,
    same,
    summed,
    total,
    tracing,
    truth_of,
    without_axes,
)

ABSENT = (None, np._NoValue, "K", "C")  # what NumPy passes for keywords that are not given


def _reject(name: str, given: dict[str, Any]) -> None:
    names = [k for k, v in given.items() if not any(v is a for a in ABSENT) and not (k == "dtype" and is_float(v))]
    if names:
        raise Unsupported(f"np.{name}: {', '.join(names)}= is not traced with named extents")


def is_float(dtype: Any) -> bool:
    return dtype is None or np.dtype(dtype) == np.float64


def keeps(keepdims: Any) -> bool:
    return keepdims is not np._NoValue and bool(keepdims)


# ---------------------------------------------------------------- reductions
def sum_(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, **kw: Any) -> NamedArray:
    _reject("sum", {"dtype": dtype, **kw})
    x = as_named(a)
    return summed(x, axes_of(axis, x.ndim), keeps(keepdims))


def mean(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, **kw: Any) -> NamedArray:
    _reject("mean", {"dtype": dtype, **kw})
    x = as_named(a)
    axes = axes_of(axis, x.ndim)
    return elementwise("divide", summed(x, axes, keeps(keepdims)), count_of(x, axes))


def var(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = False, **kw: Any) -> NamedArray:
    _reject("var", {"dtype": dtype, **kw})
    x = as_named(a)
    axes = axes_of(axis, x.ndim)
    if not isinstance(ddof, (int, float)) or (ddof > 1 and not tracing().proves(
        prod((x.extents[k] for k in axes), start=to_index(1)) > int(ddof))):  # fmt: skip
        raise Unsupported("np.var: ddof= of as many as there may be elements, or more")
    centered = elementwise("subtract", x, mean(x, axes, keepdims=True))
    count = elementwise("subtract", count_of(x, axes), ddof)
    return elementwise("divide", summed(elementwise("square", centered), axes, keeps(keepdims)), count)


def std(a: Any, axis: Any = None, **kw: Any) -> NamedArray:
    return elementwise("sqrt", var(a, axis, **kw))


def average(a: Any, axis: Any = None, weights: Any = None, **kw: Any) -> NamedArray:
    _reject("average", {"weights": weights, **kw})
    return mean(a, axis)


def _extremum(name: str) -> Callable[..., NamedArray]:
    def reduce(a: Any, axis: Any = None, keepdims: Any = False, **kw: Any) -> NamedArray:
        """Of a known number of elements one by one; of a named extent it is a number of which nothing is known."""
        _reject(name, kw)
        x = as_named(a)
        axes = axes_of(axis, x.ndim)
        if all(x.extents[k].op == "constant" and 1 <= x.extents[k].args[0] <= EXPANDED for k in axes):
            body: Any = number(x.body)
            for k in axes:
                elements = [substitute(body, {f"@{k}": i}) for i in range(x.extents[k].args[0])]
                body = elements[0]
                for e in elements[1:]:
                    body = getattr(USERS, f"{name}imum")(body, e)
            return without_axes(x, body, axes, keeps(keepdims))
        if not all(tracing().proves(x.extents[k] >= 1) for k in axes):
            raise Unsupported(f"np.{name} along an axis that may be empty")
        left = [x.extents[k] for k in range(x.ndim) if k not in axes]
        found = tracing().unknown((name, x.body, x.extents, axes), left)
        if keeps(keepdims):
            places = iter(range(len(left)))
            moved = [to_index(0) if k in axes else variable(f"@{k}") for k in range(x.ndim)]
            old = {f"@{next(places)}": i for k, i in enumerate(moved) if k not in axes}
            body = substitute(found.body, old)
            return NamedArray([to_index(1) if k in axes else n for k, n in enumerate(x.extents)], body)
        return found

    return reduce


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> NamedArray:
    a = as_named(x)
    matrix = (axis is None and a.ndim == 2) or isinstance(axis, tuple)
    if ord not in ((None, "fro") if matrix else (None, 2)) or (ord is not None and axis is None and a.ndim > 2):
        raise Unsupported(f"np.linalg.norm: ord={ord} is not traced with named extents")
    return elementwise("sqrt", sum_(elementwise("square", a), axis, keepdims=keepdims))


def cumsum(a: Any, axis: Any = None, **kw: Any) -> NamedArray:
    _reject("cumsum", kw)
    x = as_named(a)
    if axis is None:
        x, axis = ravel(x), 0
    (k,) = axes_of(axis, x.ndim)
    name = "an earlier one"  # no extent is so named
    earlier = substitute(number(x.body), {f"@{k}": variable(name)})
    return NamedArray(x.extents, total(indicator(variable(name) <= variable(f"@{k}")) * earlier, name, x.extents[k]))


# ---------------------------------------------------------------- products
def contracted(operands: Sequence[tuple[NamedArray, str]], result: str) -> NamedArray:
    """Σ over the letters that `result` does not name of the product of the elements at their letters."""
    extents: dict[str, Index] = {}
    for x, letters in operands:
        for letter, n in zip(letters, x.extents, strict=True):
            known = extents.setdefault(letter, n)
            if is_number(known, 1):
                extents[letter] = n
            elif not is_number(n, 1) and not same(n, known):
                raise Unsupported(f"a product over an axis of {known} and one of {n}: they may differ")
    body: Any = None
    for x, letters in operands:
        at = [to_index(0) if is_number(n, 1) else variable(f"letter {c}")
              for c, n in zip(letters, x.extents, strict=True)]  # fmt: skip
        factor = number(x.at(at))
        body = factor if body is None else body * factor
    for letter in reversed([c for c in extents if c not in result]):
        body = total(body, f"letter {letter}", extents[letter])
    body = substitute(number(body), {f"letter {c}": axis(k) for k, c in enumerate(result)})
    return NamedArray([extents[c] for c in result], body)


def no_truths(name: str, *arrays: NamedArray) -> None:
    if all(x.boolean for x in arrays):
        raise Unsupported(f"np.{name} of arrays of truth values")


def einsum(subscripts: Any, *operands: Any, **kw: Any) -> NamedArray:
    kw.pop("optimize", None)
    _reject("einsum", kw)
    if not isinstance(subscripts, str):
        raise Unsupported("np.einsum: write the subscripts as a string")
    arrays = [as_named(x) for x in operands]
    no_truths("einsum", *arrays)
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(arrays):
        raise ValueError(f"np.einsum: {subscripts!r} is for {len(parts)} operands, not for {len(arrays)}")
    spare = [c for c in string.ascii_letters if c not in subscripts]
    widest = 0
    for k, (part, x) in enumerate(zip(parts, arrays, strict=True)):
        if "..." in part:
            n = x.ndim - len(part) + 3
            widest = max(widest, n)
            parts[k] = part.replace("...", "".join(spare[:n][::-1]))  # the last batch axis is spare[0]
        if len(parts[k]) != x.ndim or not set(parts[k]) <= set(string.ascii_letters):
            raise ValueError(f"np.einsum: {part!r} for an array of {x.ndim} axes")
    batch = "".join(spare[:widest][::-1])
    if arrow:
        right = right.replace("...", batch)
    else:
        letters = "".join(parts)
        right = batch + "".join(sorted(c for c in set(letters) - set(batch) if letters.count(c) == 1))
    if not set(right) <= set("".join(parts)) or len(set(right)) < len(right):
        raise ValueError(f"np.einsum: the result of {subscripts!r}")
    found = contracted(list(zip(arrays, parts, strict=True)), right)
    if len(arrays) == 1 and set(right) == set(parts[0]):  # NumPy gives a view
        found.shares(arrays[0])
    return found


def matmul(a: Any, b: Any, **kw: Any) -> NamedArray:
    _reject("matmul", kw)
    x, y = as_named(a), as_named(b)
    no_truths("matmul", x, y)
    if 0 in (x.ndim, y.ndim):
        raise ValueError("matmul: an operand without axes")
    for m, n in ((x.extents[-1], y.extents[-2 if y.ndim > 1 else -1]),):
        if not same(m, n):
            raise Unsupported(f"matmul over an axis of {m} and one of {n}: they may differ")
    rank = max(x.ndim, y.ndim, 2) - 2
    batch = string.ascii_lowercase[:rank]
    left = batch[rank - max(x.ndim - 2, 0):] + ("YZ" if x.ndim > 1 else "Z")
    right = batch[rank - max(y.ndim - 2, 0):] + ("ZX" if y.ndim > 1 else "Z")
    return contracted([(x, left), (y, right)], batch + "Y" * (x.ndim > 1) + "X" * (y.ndim > 1))


def dot(a: Any, b: Any, **kw: Any) -> NamedArray:
    _reject("dot", kw)
    x, y = as_named(a), as_named(b)
    if 0 in (x.ndim, y.ndim):
        return elementwise("multiply", x, y)
    if x.ndim <= 2 and y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, axes=([-1], [max(y.ndim - 2, 0)]))


def tensordot(a: Any, b: Any, axes: Any = 2) -> NamedArray:
    x, y = as_named(a), as_named(b)
    no_truths("tensordot", x, y)
    if isinstance(axes, int):
        axes = (list(range(x.ndim - axes, x.ndim)), list(range(axes)))
    first, second = ([d] if isinstance(d, int) else list(d) for d in axes)
    left = list(string.ascii_lowercase[: x.ndim])
    right = list(string.ascii_uppercase[: y.ndim])
    for i, j in zip(first, second, strict=True):
        if not same(x.extents[i], y.extents[j]):
            raise Unsupported(f"tensordot over an axis of {x.extents[i]} and one of {y.extents[j]}: they may differ")
        right[j] = left[i]
    result = [c for c in left if c not in right] + [c for c in right if c not in left]
    found = contracted([(x, "".join(left)), (y, "".join(right))], "".join(result))
    return copy(found)  # an array even without axes


def inner(a: Any, b: Any) -> NamedArray:
    x, y = as_named(a), as_named(b)
    return elementwise("multiply", x, y) if 0 in (x.ndim, y.ndim) else copied(tensordot(x, y, axes=([-1], [-1])))


def outer(a: Any, b: Any, **kw: Any) -> NamedArray:
    _reject("outer", kw)
    x, y = (ravel(as_named(v)) for v in (a, b))
    no_truths("outer", x, y)
    return contracted([(x, "i"), (y, "j")], "ij")


def vdot(a: Any, b: Any) -> NamedArray:
    x, y = (ravel(as_named(v)) for v in (a, b))
    return matmul(x, y)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> NamedArray:
    x = moveaxis(as_named(a), (axis1, axis2), (-2, -1))
    if offset != 0 or not same(*x.extents[-2:]):
        raise Unsupported("a diagonal off the main one, or of a matrix that may not be square")
    k = axis(x.ndim - 2)
    return x.derived(x.extents[:-1], [*(axis(j) for j in range(x.ndim - 2)), k, k])


def diag(v: Any, k: int = 0) -> NamedArray:
    x = as_named(v)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1 or k != 0:
        raise Unsupported("np.diag off the main diagonal")
    return NamedArray((*x.extents, *x.extents), indicator(equal(axis(0), axis(1))) * number(x.body))


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, **kw: Any) -> NamedArray:
    _reject("trace", kw)
    return sum_(diagonal(a, offset, axis1, axis2), -1)


def triangle(upper: bool) -> Callable[..., NamedArray]:
    def function(m: Any, k: Any = 0) -> NamedArray:
        x = as_named(m)
        if x.ndim < 2:
            raise Unsupported("np.tril and np.triu of one axis")
        i, j, d = axis(x.ndim - 2), axis(x.ndim - 1), extent(k)
        kept = i + d <= j if upper else j <= i + d
        return NamedArray(x.extents, choice(kept, x.body, equal(to_index(0), 1) if x.boolean else ZERO))

    return function


# ---------------------------------------------------------------- shapes
def transpose(a: Any, *axes: Any) -> NamedArray:
    x = as_named(a)
    order = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))) else axes or None
    order = tuple(range(x.ndim))[::-1] if order is None else tuple(int(k) % x.ndim for k in order)
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"axes {order} do not match an array of {x.ndim} axes")
    return x.derived([x.extents[k] for k in order], [axis(order.index(k)) for k in range(x.ndim)])


def swapaxes(a: Any, axis1: int, axis2: int) -> NamedArray:
    x = as_named(a)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def moveaxis(a: Any, source: Any, destination: Any) -> NamedArray:
    x = as_named(a)
    froms, tos = ([d % x.ndim for d in ([e] if isinstance(e, int) else e)] for e in (source, destination))
    order = [k for k in range(x.ndim) if k not in froms]
    for to, k in sorted(zip(tos, froms, strict=True)):
        order.insert(to, k)
    return transpose(x, order)


def expand_dims(a: Any, axis: Any) -> NamedArray:
    x = as_named(a)
    new = axis if isinstance(axis, (tuple, list)) else (axis,)
    rank = x.ndim + len(new)
    places = axes_of(tuple(new), rank)
    found: NamedArray = x[tuple(None if k in places else slice(None) for k in range(rank))]
    return found


def squeeze(a: Any, axis: Any = None) -> NamedArray:
    """Axes of length 1; a named extent is one where it is 1, which is asked."""
    x = as_named(a)
    places = range(x.ndim) if axis is None else axes_of(axis, x.ndim)
    one = [k for k in places if equal(x.extents[k], 1)]
    if axis is not None and len(one) < len(places):
        raise ValueError("cannot squeeze an axis whose extent is not 1")
    at = [to_index(0)] * x.ndim
    left = [k for k in range(x.ndim) if k not in one]
    for new, k in enumerate(left):
        at[k] = variable(f"@{new}")
    return x.derived([x.extents[k] for k in left], at)


def reshape(a: Any, *shape: Any, **kw: Any) -> NamedArray:
    if not shape:
        shape = (kw.pop("shape", kw.pop("newshape", ())),)
    _reject("reshape", kw)
    x = as_named(a)
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    new = [extent(n) for n in given]
    open_axes = [k for k, n in enumerate(new) if is_number(n, -1)]
    if len(open_axes) > 1:
        raise ValueError("can only specify one unknown dimension")
    if open_axes:
        others = [n for k, n in enumerate(new) if k not in open_axes]
        new[open_axes[0]] = quotient(prod(x.extents, start=to_index(1)), prod(others, start=to_index(1)))
    if not same(prod(x.extents, start=to_index(1)), prod(new, start=to_index(1))):
        raise Unsupported(f"reshape of {x.shape} to {tuple(given)}: the sizes may differ")
    return x.derived(new, _row_major(x.extents, new))


def quotient(size: Index, divisor: Index) -> Index:
    """size / divisor, where it divides by its form."""
    top, bottom = index_polynomial(size), index_polynomial(divisor)
    if len(bottom) == 1:
        ((factors, c),) = bottom.items()
        found = {}
        for m, d in top.items():
            rest = list(m)
            for f in factors:
                if f in rest:
                    rest.remove(f)
                else:
                    rest, d = [], 1 if abs(c) > 1 else 0  # does not divide
                    break
            if d == 0 or d % c:
                break
            found[tuple(rest)] = d // c
        else:
            return from_polynomial(found)
    raise Unsupported(f"reshape to -1: {size} is not seen to be a multiple of {divisor}")


def _row_major(old: Sequence[Index], new: Sequence[Index]) -> list[Index]:
    """The indices of the old shape at @0, @1, ... of the new one: row-major order, group by group of equal size."""
    indices: list[Index] = []
    i = j = 0
    while i < len(old) or j < len(new):
        first, second = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while not _equal_sizes(old[first:i], new[second:j]) and (i < len(old) or j < len(new)):
            if i < len(old) and (j == len(new) or j - second >= i - first):
                i += 1
            else:
                j += 1
        flat = to_index(0)
        for k in range(second, j):
            flat = flat * new[k] + axis(k)
        group = old[first:i]
        wide = [k for k, n in enumerate(group) if not is_number(n, 1)]
        for k in range(len(group)):
            if k not in wide:
                indices.append(to_index(0))
                continue
            below = prod(group[k + 1:], start=to_index(1))
            index = flat if is_number(canonical(below), 1) else flat // below
            indices.append(canonical(index if k == wide[0] else index % group[k]))
    return indices


def _equal_sizes(a: Sequence[Index], b: Sequence[Index]) -> bool:
    return canonical(prod(a, start=to_index(1))) == canonical(prod(b, start=to_index(1)))


def ravel(a: Any, order: str = "C") -> NamedArray:
    if order != "C":
        raise Unsupported(f"np.ravel: order={order} is not traced with named extents")
    x = as_named(a)
    return x if x.ndim == 1 else reshape(x, -1)


def broadcast(array: Any, shape: Any, subok: bool = False) -> NamedArray:
    given = shape if isinstance(shape, (tuple, list)) else (shape,)
    x = as_named(array)
    found = broadcast_to(x, [extent(n) for n in given])
    found.shares(x)
    return found


def copy(a: Any, *_: Any, **kw: Any) -> NamedArray:
    x = as_named(a)
    return NamedArray(x.extents, x.body, "own")


def astype(x: NamedArray, dtype: Any, copy: bool = True) -> NamedArray:
    wanted = np.dtype(dtype)
    if wanted == x.dtype:
        return NamedArray(x.extents, x.body) if copy else x
    if wanted != np.float64:
        raise Unsupported(f".astype({dtype}) is not traced with named extents")
    return NamedArray(x.extents, number(x.body))


def stack(arrays: Any, axis: int = 0) -> NamedArray:
    xs = [as_named(a) for a in arrays]
    extents = common_extents([x.extents for x in xs])
    if any(x.ndim != len(extents) or not all(map(same, x.extents, extents)) for x in xs):
        raise Unsupported("np.stack of arrays whose shapes may differ")
    k = axis % (len(extents) + 1)
    at = [variable(f"@{j + (j >= k)}") for j in range(len(extents))]
    body = xs[-1].at(at)
    for j in range(len(xs) - 2, -1, -1):
        body = choice(equal(variable(f"@{k}"), j), xs[j].at(at), body)
    return NamedArray([*extents[:k], len(xs), *extents[k:]], body)


def concatenate(arrays: Any, axis: Any = 0, **kw: Any) -> NamedArray:
    _reject("concatenate", kw)
    xs = [as_named(a) for a in arrays]
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    k = axis % xs[0].ndim
    for x in xs[1:]:
        if x.ndim != xs[0].ndim or not all(same(x.extents[j], xs[0].extents[j]) for j in range(x.ndim) if j != k):
            raise Unsupported("np.concatenate of arrays whose shapes may differ")
    starts = [to_index(0)]
    for x in xs:
        starts.append(canonical(starts[-1] + x.extents[k]))

    def shifted(x: NamedArray, start: Index) -> Any:
        return x.at([variable(f"@{j}") - start if j == k else variable(f"@{j}") for j in range(x.ndim)])

    body = shifted(xs[-1], starts[-2])
    for x, start, end in reversed(list(zip(xs[:-1], starts, starts[1:], strict=False))):
        body = choice(variable(f"@{k}") < end, shifted(x, start), body)
    return NamedArray([*xs[0].extents[:k], starts[-1], *xs[0].extents[k + 1:]], body)


def flip(m: Any, axis: Any = None) -> NamedArray:
    x = as_named(m)
    places = axes_of(axis, x.ndim)
    found: NamedArray = x[tuple(slice(None, None, -1) if k in places else slice(None) for k in range(x.ndim))]
    return found


def roll(a: Any, shift: Any, axis: Any = None) -> NamedArray:
    x = as_named(a)
    if (axis is None and x.ndim != 1) or isinstance(axis, (tuple, list)):
        raise Unsupported("np.roll of several axes")
    k = 0 if axis is None else axis % x.ndim
    at: list[Index] = [variable(f"@{j}") for j in range(x.ndim)]
    at[k] = (at[k] - extent(shift)) % x.extents[k]
    return x.derived(x.extents, at, view=False)


def diff(a: Any, n: int = 1, axis: int = -1, **kw: Any) -> NamedArray:
    _reject("diff", kw)
    x = as_named(a)
    if n != 1:
        raise Unsupported("np.diff: n= is not traced with named extents")
    k = axis % x.ndim
    after, before = (x[(slice(None),) * k + (s,)] for s in (slice(1, None), slice(None, -1)))
    return elementwise("subtract", after, before)


# ---------------------------------------------------------------- choices and fills
def where(condition: Any, *branches: Any) -> NamedArray:
    if len(branches) != 2:
        raise Unsupported("np.where with one argument is not traced with named extents")
    c, a, b = as_named(condition), *map(as_named, branches)
    extents = common_extents([c.extents, a.extents, b.extents])
    c, a, b = (broadcast_to(v, extents) for v in (c, a, b))
    kind = "input" if all(map(is_integer, branches)) else "own"
    return NamedArray(extents, choice(truth_of(c.body), a.body, b.body), kind)


def is_integer(x: Any) -> bool:
    """An array of such has integers, and would truncate what is written into it."""
    return isinstance(x, (int, np.integer, np.bool_))


def clip(a: Any, a_min: Any = None, a_max: Any = None, **kw: Any) -> NamedArray:
    low = kw.pop("min", None) if a_min is None or a_min is np._NoValue else a_min
    high = kw.pop("max", None) if a_max is None or a_max is np._NoValue else a_max
    _reject("clip", kw)
    x = as_named(a)
    for bound, name in ((low, "maximum"), (high, "minimum")):
        if bound is not None and bound is not np._NoValue:
            x = elementwise(name, x, bound)
    return copied(x)


def filled(value: Any) -> Callable[..., NamedArray]:
    def like(a: Any, *_: Any, **kw: Any) -> NamedArray:
        _reject("zeros_like", {k: v for k, v in kw.items() if k not in ("shape", "subok")})
        x = floats(a, kw.get("dtype"))
        return NamedArray(x.extents if kw.get("shape") is None else extents_of(kw["shape"]), number(value), "own")

    return like


def floats(a: Any, dtype: Any) -> NamedArray:
    """The array after which another is made, of floats."""
    x = as_named(a)
    if dtype is None and (x.boolean or (index_of(x.body) is not None and x.body.op != "number")):
        raise Unsupported("an array like one of truth values or integers: give dtype=float")
    return x


def full_like(a: Any, fill_value: Any, **kw: Any) -> NamedArray:
    shape = floats(a, kw.get("dtype")).shape
    kw["dtype"] = kw.get("dtype") or float
    return full(shape, fill_value, **{k: v for k, v in kw.items() if k != "subok"})


def empty_like(a: Any, **kw: Any) -> NamedArray:
    return empty(floats(a, kw.get("dtype")).shape, **{k: v for k, v in kw.items() if k != "subok"})


def extents_of(shape: Any) -> list[Index]:
    return [extent(n) for n in (shape if isinstance(shape, (tuple, list)) else (shape,))]


def full(shape: Any, fill_value: Any, dtype: Any = None, **kw: Any) -> NamedArray:
    _reject("full", {"dtype": dtype, **kw})
    extents = extents_of(shape)
    kind = "input" if dtype is None and is_integer(fill_value) else "own"
    return NamedArray(extents, number(broadcast_to(as_named(fill_value), extents).body), kind)


def empty(shape: Any, dtype: Any = None, **kw: Any) -> NamedArray:
    _reject("empty", {"dtype": dtype, **kw})
    extents = extents_of(shape)
    found = tracing().unknown(("empty", tuple(extents), len(tracing().opaque)), extents)
    return NamedArray(extents, found.body, "own")


def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = None, **kw: Any) -> NamedArray:
    _reject("eye", {"dtype": dtype, **kw})
    n = extent(N)
    return NamedArray((n, n if M is None else extent(M)), indicator(equal(axis(0) + extent(k), axis(1))))


def arange(*limits: Any, dtype: Any = None, **kw: Any) -> NamedArray:
    _reject("arange", kw)
    start, stop = (to_index(0), extent(limits[0])) if len(limits) == 1 else tuple(map(extent, limits[:2]))
    if len(limits) > 2 or (dtype is not None and np.dtype(dtype).kind not in "if"):
        raise Unsupported("np.arange with a step, or with another dtype")
    length = canonical(stop - start)
    if length < 0:
        length = to_index(0)
    return NamedArray([length], number_of(axis(0) + start) if not is_number(start, 0) else number_of(axis(0)))


def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = float) -> NamedArray:
    n = extent(N)
    kept = axis(1) <= axis(0) + extent(k)
    truths = np.dtype(dtype) == bool
    if not truths and np.dtype(dtype) != np.float64:
        raise Unsupported(f"np.tri: dtype={dtype}")
    return NamedArray((n, n if M is None else extent(M)), kept if truths else indicator(kept))


def as_array(a: Any, dtype: Any = None, **kw: Any) -> NamedArray:
    _reject("asarray", kw)
    x = as_named(a)
    if x.kind == "number":
        x = copy(x)  # a new array without axes
    return x if is_float(dtype) and not (dtype is not None and x.boolean) else astype(x, dtype)


def contiguous(a: Any, **kw: Any) -> NamedArray:
    x = as_array(a, **kw)
    return x if x.ndim else reshape(x, 1)


def new_array(a: Any, dtype: Any = None, **kw: Any) -> NamedArray:
    if kw.pop("copy", True) is not True:
        raise Unsupported("np.array: copy= is not traced with named extents")
    _reject("array", kw)
    return copy(as_array(a, dtype))


def ones(shape: Any, dtype: Any = None, **kw: Any) -> NamedArray:
    if dtype is not None and np.dtype(dtype) == bool:
        return NamedArray(extents_of(shape), TRUE, "own")
    return full(shape, 1.0, dtype, **kw)


def zeros(shape: Any, dtype: Any = None, **kw: Any) -> NamedArray:
    return full(shape, 0.0, dtype, **kw)


def product(a: Any, axis: Any = None, **kw: Any) -> NamedArray:
    """Of a known number of elements only."""
    _reject("prod", {k: v for k, v in kw.items() if k != "keepdims"})
    x = as_named(a)
    axes = axes_of(axis, x.ndim)
    body: Any = number(x.body)
    for k in axes:
        if x.extents[k].op != "constant" or x.extents[k].args[0] > EXPANDED:
            raise Unsupported("np.prod along a named extent")
        body = prod((substitute(body, {f"@{k}": i}) for i in range(x.extents[k].args[0])), start=number(1))
    return without_axes(x, body, axes, keeps(kw.get("keepdims", False)))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: sum_, np.mean: mean, np.var: var, np.std: std, np.average: average, np.max: _extremum("max"),
    np.amax: _extremum("max"), np.min: _extremum("min"), np.amin: _extremum("min"), np.linalg.norm: norm,
    np.cumsum: cumsum, np.prod: product, np.einsum: einsum, np.dot: dot, np.tensordot: tensordot, np.inner: inner,
    np.outer: outer, np.vdot: vdot, np.diagonal: diagonal, np.diag: diag, np.trace: trace, np.tril: triangle(False),
    np.triu: triangle(True), np.transpose: transpose, np.swapaxes: swapaxes, np.moveaxis: moveaxis,
    np.expand_dims: expand_dims, np.squeeze: squeeze, np.reshape: reshape, np.ravel: ravel,
    np.broadcast_to: broadcast, np.copy: copy, np.stack: stack, np.concatenate: concatenate, np.flip: flip,
    np.roll: roll, np.diff: diff, np.where: where, np.clip: clip, np.zeros_like: filled(0.0),
    np.ones_like: filled(1.0), np.full_like: full_like, np.empty_like: empty_like,
    np.shape: lambda a: as_named(a).shape, np.ndim: lambda a: as_named(a).ndim,
    np.size: lambda a, axis=None: as_named(a).size if axis is None else as_named(a).shape[axis],
    np.real: lambda a: as_named(a), np.atleast_1d: lambda a: a if a.ndim else reshape(a, 1),
}  # fmt: skip
METHODS: dict[str, Callable[..., Any]] = {
    "sum": sum_, "mean": mean, "var": var, "std": std, "max": _extremum("max"), "min": _extremum("min"),
    "cumsum": cumsum, "prod": product, "dot": dot, "diagonal": diagonal, "trace": trace, "transpose": transpose,
    "swapaxes": swapaxes, "squeeze": squeeze, "reshape": reshape, "ravel": ravel,
    "flatten": lambda x: copy(ravel(x)), "copy": lambda x, *order: x if x.kind == "number" else copy(x),
    "astype": astype, "clip": clip,
    "conj": lambda x: x, "conjugate": lambda x: x,
}  # fmt: skip
MAKERS: dict[str, Callable[..., Any]] = {
    "zeros": zeros, "ones": ones, "full": full, "empty": empty, "eye": eye, "identity": eye, "arange": arange,
    "tri": tri, "asarray": as_array, "asanyarray": as_array, "ascontiguousarray": contiguous, "array": new_array,
}  # fmt: skip
