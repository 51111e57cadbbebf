"""TRUSTED. NumPy arrays of terms: which operations get a meaning, which stay NumPy's own code, which are rejected.

`ObjectArray` is an ndarray with dtype=object, so whatever moves elements (slices, windows, broadcasting, tensordot, +=)
is NumPy's own code moving objects. Elementwise operations, reductions and choices go to the `Meanings` of the subclass.
Every NumPy function is on one of the lists below or `Unsupported`, and so is every keyword that is not modelled.

Reading one element gives a 0-d array, never a bare term: `==` of bare terms compares terms, not values. For the same
reason `intercepting` keeps the class through np.asarray, np.zeros(..., dtype=object) and the like during a run.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy import array, asarray, empty  # bound here: `intercepting` changes np.asarray and np.empty
from numpy.lib.array_utils import normalize_axis_tuple

from ..terms import FALSE, access
from .ledger import Ledger
from .meanings import ARITHMETIC, COMPARISON, LOGIC, Meanings, SymbolicMeanings, Unsupported

_sliding = np.lib.stride_tricks.sliding_window_view
# NumPy's own code, safe because it only moves elements or calls functions that dispatch here again.
MOVING: frozenset[Callable[..., Any]] = frozenset({
    np.reshape, np.ravel, np.transpose, np.moveaxis, np.swapaxes, np.rollaxis, np.expand_dims, np.squeeze, np.roll,
    np.broadcast_to, np.broadcast_arrays, np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack,
    np.split, np.array_split, np.vsplit, np.hsplit, np.pad, np.flip, np.fliplr, np.flipud, np.rot90, np.tile, np.repeat,
    np.atleast_1d, np.atleast_2d, np.atleast_3d, np.diagonal, np.diag, np.trace, np.tril, np.triu, np.zeros_like,
    np.ones_like, np.empty_like, np.full_like, np.copy, np.copyto, np.shape, np.ndim, np.size, _sliding,
    np.lib.stride_tricks.as_strided, np.delete, np.insert, np.append, np.meshgrid, np.ix_, np.shares_memory,
    np.may_share_memory, np.result_type, np.iscomplexobj, np.isrealobj, np.matrix_transpose, np.unstack,
    np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.amax, np.amin, np.argmax, np.argmin, np.any, np.all,
    np.cumsum, np.cumprod, np.diff, np.clip, np.ptp, np.real,
    np.sort, np.argsort, np.nonzero, np.flatnonzero, np.argwhere, np.count_nonzero})  # these compare, so they branch
# C loops that use the elements' own * and +: constants are lifted first.
CONTRACTING: frozenset[Callable[..., Any]] = frozenset({
    np.dot, np.tensordot, np.einsum, np.inner, np.outer, np.kron, np.einsum_path})
BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)
REDUCTIONS = {np.maximum: "largest", np.minimum: "smallest"}


Place = tuple[int, ...]
OBJECT, BOOLEAN = np.dtype(object), np.dtype(bool)


class ObjectArray(np.ndarray):
    """An array of elements that are not machine numbers; a subclass says what its operations mean."""

    meanings: ClassVar[Meanings]
    arithmetic: ClassVar[dict[np.ufunc, str]] = ARITHMETIC
    logic: ClassVar[dict[np.ufunc, str]] = LOGIC
    reducing: ClassVar[tuple[np.ufunc, ...]] = (np.add, np.multiply, np.logical_and, np.logical_or)
    own: ClassVar[dict[Callable[..., Any], Callable[..., Any]]] = {}  # functions with a meaning of their own

    # ---- ufuncs
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", (None,))[0]
        if method == "at":
            return self._at(ufunc, *inputs)
        mask = kwargs.pop("where", True)
        if kwargs.pop("casting", "same_kind") not in ("same_kind", "unsafe") or not kwargs.pop("subok", True):
            raise Unsupported(f"np.{ufunc.__name__}: casting= and subok= are not modelled")
        self._check_dtype(f"np.{ufunc.__name__}", kwargs.pop("dtype", None), allow_bool=ufunc in LOGIC)
        raw = [self._raw(x) for x in inputs]
        if ufunc in (np.matmul, np.vecdot) and method == "__call__":
            _reject(ufunc.__name__, kwargs, ("axis",) if ufunc is np.vecdot else ())
            if all(map(self._is_boolean, raw)):
                raise Unsupported(f"np.{ufunc.__name__} of Boolean arrays only")
            a, b = map(self._lifted, raw)
            result = np.matmul(a, b) if ufunc is np.matmul else self._wrap(a * b).sum(kwargs.get("axis", -1))
        elif method == "__call__":
            _reject(ufunc.__name__, kwargs)
            result = self._elementwise(ufunc, raw)
        elif method in ("reduce", "accumulate", "reduceat"):
            if mask is not True:
                raise Unsupported(f"np.{ufunc.__name__}.{method}: where= is not modelled: use np.where")
            result = self._reduce(ufunc, method, *raw, **kwargs)
        elif method == "outer":
            _reject("outer", kwargs)
            a, b = map(_objects, raw)
            result = self._elementwise(ufunc, [a.reshape(a.shape + (1,) * b.ndim), b])
        else:
            raise Unsupported(f"np.{ufunc.__name__}.{method}")
        if mask is not True:
            if out is None:
                raise Unsupported(f"np.{ufunc.__name__}: where= without out= leaves elements undefined")
            result = self._function("choose")(self._raw(mask), result, self._raw(out))
        if out is None:
            return self._wrap(result)
        if method != "__call__" and np.shape(result) != out.shape:
            raise ValueError(f"np.{ufunc.__name__}.{method}: out has shape {out.shape}, the result {np.shape(result)}")
        if _dtype(out) != OBJECT and not (_dtype(out).kind == "b" and asarray(result).dtype.kind == "b"):
            raise Unsupported(f"np.{ufunc.__name__} into a {out.dtype} buffer: allocate it with np.zeros_like(x)")
        np.copyto(out.view(np.ndarray), result)
        return out

    def _elementwise(self, ufunc: np.ufunc, raw: Sequence[Any]) -> Any:
        if ufunc in self.arithmetic:
            if all(self._is_boolean(x) for x in raw):
                raise Unsupported(f"np.{ufunc.__name__} of Booleans is Boolean in NumPy: use & | ~ or .astype(x.dtype)")
            return self._function(self.arithmetic[ufunc])(*raw)
        if ufunc in self.logic:
            if ufunc in BITWISE and not all(self._is_boolean(x) for x in raw):
                raise Unsupported(f"np.{ufunc.__name__} of numbers")
            return _machine_booleans(self._function(self.logic[ufunc])(*raw))
        if ufunc in COMPARISON:
            if ufunc not in (np.equal, np.not_equal) and any(self._is_boolean(x) for x in raw):
                raise Unsupported(f"np.{ufunc.__name__} of Booleans")
            return _machine_booleans(self._function(COMPARISON[ufunc])(*raw))
        raise Unsupported(f"np.{ufunc.__name__} has no meaning on {type(self).__name__}: see symbolic/meanings.py")

    def _reduce(self, ufunc: np.ufunc, method: str, raw: Any, *more: Any, axis: Any = 0, keepdims: bool = False,
                initial: Any = None) -> Any:
        if method == "reduce" and ufunc in REDUCTIONS:
            if self._is_boolean(raw):
                raise Unsupported(f"np.{ufunc.__name__} of Booleans: use any, all")
            worst = -np.inf if ufunc is np.maximum else np.inf
            if initial is np._NoValue or initial is None or (initial == worst and raw.size):
                return self._along(raw, axis, keepdims, getattr(self.meanings, REDUCTIONS[ufunc]))
            raise Unsupported(f"np.{ufunc.__name__}.reduce: initial={initial} is not modelled")
        if ufunc not in self.reducing and not (
                method == "accumulate" and ufunc in REDUCTIONS):
            raise Unsupported(f"np.{ufunc.__name__}.{method}")
        name = {**self.arithmetic, **self.logic}[ufunc]
        convert = self._function("truth") if ufunc in LOGIC else self._function("lift")
        f, raw = self._function(name), convert(raw)
        if method == "reduce":
            result = f.reduce(raw, axis=axis, keepdims=keepdims)
            if initial is not None and initial is not np._NoValue:
                result = f(initial, result)
        else:
            result = getattr(f, method)(raw, *more, axis=axis)
        if ufunc in LOGIC:
            return _machine_booleans(result)
        return result if isinstance(result, np.ndarray) else self.meanings.lift(result)

    def _along(self, raw: np.ndarray, axis: Any, keepdims: bool, f: Callable[[list[Any]], Any]) -> Any:
        """f of the elements along the axes, in row-major order."""
        axes = _axes(axis, raw.ndim)
        kept = [a for a in range(raw.ndim) if a not in axes]
        length = prod(raw.shape[a] for a in axes)
        moved = raw.transpose(*kept, *sorted(axes)).reshape([raw.shape[a] for a in kept] + [length])
        if length == 0:
            raise ValueError("zero-size array to reduction operation which has no identity")
        result = empty(moved.shape[:-1], dtype=object)
        for i in np.ndindex(*result.shape):
            result[i] = f(list(moved[i]))
        return result.reshape([1 if a in axes else n for a, n in enumerate(raw.shape)]) if keepdims else result

    def _at(self, ufunc: np.ufunc, buffer: np.ndarray, key: Any, *values: Any) -> None:
        if _dtype(buffer) != OBJECT:
            raise Unsupported(f"np.{ufunc.__name__}.at into a {buffer.dtype} buffer: allocate it with np.zeros_like(x)")
        if ufunc not in ARITHMETIC:
            raise Unsupported(f"np.{ufunc.__name__}.at")
        target, raw = buffer.view(np.ndarray), [self._lifted(self._raw(v)) for v in values]
        key, symbolic = self._resolve(key)
        if not symbolic:
            self._function(ARITHMETIC[ufunc]).at(target, key, *raw)
        elif ufunc is np.add:
            def add(old: Any, guard: Any, value: Any) -> Any:
                return self._function("add")(old, self._function("choose")(guard, value, self.meanings.lift(0)))

            self._scatter(target, key, raw[0], add)
        else:
            raise Unsupported(f"np.{ufunc.__name__}.at through an index that depends on symbols: only np.add.at")

    # ---- functions
    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        name = f"np.{function.__name__}"
        if (own := self.own.get(function, _OWN.get(function))) is not None:
            return own(self, *args, **kwargs)
        if function not in MOVING and function not in CONTRACTING:
            raise Unsupported(f"{name} is not modelled on {type(self).__name__}")
        if function not in (np.zeros_like, np.ones_like, np.empty_like, np.full_like):
            self._check_dtype(name, kwargs.get("dtype"), allow_bool=function in (np.any, np.all))
        if kwargs.get("where", True) is not True and function is not np.copyto:
            raise Unsupported(f"{name}: where= is not modelled")
        if function is np.pad and (*args[2:], kwargs.get("mode", "constant"))[0] not in (
                "constant", "edge", "reflect", "symmetric", "wrap"):
            raise Unsupported("np.pad: only the modes that move elements")
        if kwargs.get("casting", "same_kind") != "same_kind" and function is not np.copyto:
            raise Unsupported(f"{name}: casting= is not modelled")
        convert: Callable[[Any], Any] = _decimals_of_narrow_floats
        if function in CONTRACTING and (out := kwargs.pop("out", None)) is not None:  # not lifted: it is written into
            result = self.__array_function__(function, types, args, kwargs)
            if np.shape(result) != out.shape or _dtype(out) != OBJECT:
                raise Unsupported(f"{name}: out= of shape {out.shape} and dtype {out.dtype}")
            np.copyto(out.view(np.ndarray), self._raw(result))
            return out
        if function in CONTRACTING:
            if all(self._is_boolean(x) for x in args if isinstance(x, np.ndarray)):
                raise Unsupported(f"{name} of Boolean arrays only")
            def convert(x: np.ndarray) -> np.ndarray:
                return self._lifted(self._raw(x)).view(type(self))._of_dtype(x)  # type: ignore[no-any-return]
            if function is np.tensordot:  # its axes may be arrays
                args, kwargs = (*_mapped(convert, args[:2]), *args[2:]), {
                    k: v if k == "axes" else _mapped(convert, v) for k, v in kwargs.items()}
                return self._wrap(super().__array_function__(function, types, args, kwargs))
        return self._wrap(super().__array_function__(function, types, _mapped(convert, args), _mapped(convert, kwargs)))

    # ---- indexing
    def __getitem__(self, key: Any) -> Any:
        key, symbolic = self._resolve(key)
        return self._wrap(self._gather(self.view(np.ndarray), key) if symbolic else super().__getitem__(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        target, raw = self.view(np.ndarray), self._raw(value)
        if self._is_symbolic_mask(key) and np.ndim(raw) == 0:  # x[mask] = constant: a choice, no branch
            if not target.flags.writeable:
                raise ValueError("assignment destination is read-only")
            if key.shape != target.shape[:key.ndim]:
                raise IndexError(f"a mask of shape {key.shape} for an array of shape {target.shape}")
            mask = self._raw(key).reshape(key.shape + (1,) * (target.ndim - key.ndim))
            target[...] = self._function("choose")(mask, raw, target)
            return
        key, symbolic = self._resolve(key)
        if symbolic:  # in order, so that the last of equal indices wins, as in NumPy
            self._scatter(target, key, raw, lambda old, guard, new: self._function("choose")(guard, new, old))
        else:
            target[key] = raw[()] if isinstance(raw, np.ndarray) and raw.ndim == 0 else raw

    def _of_dtype(self, x: np.ndarray) -> Any:
        """This array, made of x by lifting its elements."""
        return self

    def _is_symbolic_mask(self, key: Any) -> bool:
        return isinstance(key, ObjectArray) and key.size > 0 and self._is_boolean(self._raw(key))

    def _resolve(self, key: Any) -> tuple[Any, bool]:
        """The key with masks and constant indices as machine arrays; True if an index depends on symbols."""
        parts, symbolic = [], False
        for part in key if isinstance(key, tuple) else (key,):
            if isinstance(part, list):
                part = _without_nesting(asarray(part))
            if isinstance(part, np.ndarray) and _dtype(part) == OBJECT:
                raw = part.view(np.ndarray)
                if self._is_boolean(raw):  # bool() of a Condition asks the explorer
                    part = array([bool(c) for c in raw.ravel()], dtype=bool).reshape(raw.shape)
                else:
                    numbers = self._machine_integers(raw)
                    symbolic, part = symbolic or numbers is None, raw if numbers is None else numbers
            parts.append(part)
        return (tuple(parts) if isinstance(key, tuple) else parts[0]), symbolic

    def _machine_integers(self, raw: np.ndarray) -> np.ndarray | None:
        """Object elements as machine integers; None if some depend on symbols."""
        return _plain_integers(raw)

    def _gather(self, source: np.ndarray, key: Any) -> np.ndarray:
        raise Unsupported(f"an index of dtype object on {type(self).__name__}")

    def _scatter(self, target: np.ndarray, key: Any, values: Any, step: Callable[[Any, Any, Any], Any]) -> None:
        raise Unsupported(f"an index of dtype object on {type(self).__name__}")

    # ---- methods that NumPy does not route through ufuncs, or not faithfully for objects
    def erf(self) -> Any:
        """What gradproof.special.erf calls where the elements are not floats."""
        return self._wrap(self._function("erf")(self._raw(self)))

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, *,  # type: ignore[override]
             keepdims: bool = False, **unknown: Any) -> Any:
        self._check_method("mean", dtype, out, unknown)
        return self.sum(axis=axis, keepdims=keepdims) / _count(self, axis)

    def var(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, *,  # type: ignore[override]
            keepdims: bool = False, **unknown: Any) -> Any:
        self._check_method("var", dtype, out, unknown)
        centred = self - self.mean(axis=axis, keepdims=True)
        return (centred * centred).sum(axis=axis, keepdims=keepdims) / (_count(self, axis) - ddof)

    def std(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, *,  # type: ignore[override]
            keepdims: bool = False, **unknown: Any) -> Any:
        return np.sqrt(self.var(axis, dtype, out, ddof, keepdims=keepdims, **unknown))

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        return self._arg("argmax", axis, out, keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        return self._arg("argmin", axis, out, keepdims)

    def _arg(self, name: str, axis: Any, out: Any, keepdims: bool) -> Any:
        self._check_method(name, None, out, {})
        raw = self.view(np.ndarray)
        if raw.size and self._is_boolean(raw):
            raw = self._lifted(raw)
        result = self._along(raw, axis, keepdims, getattr(self.meanings, name))
        numbers = _plain_integers(result)
        return self._wrap(result if numbers is None else numbers)

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **unknown: Any) -> Any:
        _reject("clip", unknown)
        result = self if min is None else np.maximum(self, min)
        result = result if max is None else np.minimum(result, max)
        return np.positive(result, out=(out,)) if out is not None else result

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other, out=out)

    def trace(self, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None) -> Any:
        self._check_method("trace", dtype, out, {})
        return self.diagonal(offset, axis1, axis2).sum(axis=-1)

    def astype(self, dtype: Any, order: str = "K", casting: str = "unsafe",  # type: ignore[override]
               subok: bool = True, copy: bool = True) -> Any:
        """Real dtypes are all the reals; bool is `!= 0`; an integer dtype keeps what is an integer already."""
        if casting != "unsafe" or not subok:
            raise Unsupported("astype: casting= and subok= are not modelled")
        raw, dtype = self.view(np.ndarray), np.dtype(dtype)
        if dtype.kind == "b":
            return self._wrap(_machine_booleans(self._function("truth")(raw)))
        if dtype.kind in "iu":
            numbers = self._machine_integers(raw)
            return self._wrap(raw.copy()) if numbers is None else numbers.astype(dtype)
        if dtype.kind not in "fO":
            raise Unsupported(f"astype({dtype})")
        lifted = self._function("lift")(raw)
        if not copy and all(new is old for new, old in zip(_objects(lifted).ravel(), raw.ravel(), strict=True)):
            return self  # as with floats of that dtype: what is written to the result is written to this array
        return self._wrap(lifted)

    def take(self, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
        return _take(self, self, indices, axis, out, mode)

    @property
    def flat(self) -> Any:
        """A view, not an iterator of bare terms."""
        if not self.flags.c_contiguous:
            raise Unsupported(".flat of a non-contiguous array: use reshape(-1)")
        return self.reshape(-1)

    def _no_machine_number(self, *_: Any, **__: Any) -> Any:
        raise Unsupported("float(), int(), .item(), .tolist() or a dump of symbols: keep them in arrays, use np.where")

    item = tolist = tobytes = tofile = dump = dumps = _no_machine_number
    __float__ = __int__ = __index__ = __complex__ = _no_machine_number

    def _no_meaning(self, *_: Any, **__: Any) -> Any:
        raise Unsupported("partition, searchsorted, choose, round, put and byte access have no meaning on symbols")

    partition = argpartition = searchsorted = choose = round = put = byteswap = getfield = setfield = _no_meaning

    def sort(self, axis: int = -1, **unknown: Any) -> None:  # type: ignore[override]
        _reject("sort", unknown, ("kind", "order", "stable"))
        self[...] = self._wrap(self._lifted(self.view(np.ndarray)))  # then NumPy's own code, which branches on <
        super().sort(axis)

    def argsort(self, axis: int = -1, **unknown: Any) -> Any:  # type: ignore[override]
        _reject("argsort", unknown, ("kind", "order", "stable"))
        return self._lifted(self.view(np.ndarray)).argsort(axis, kind="stable")

    # ---- helpers
    def _check_dtype(self, name: str, dtype: Any, allow_bool: bool = False) -> None:
        if dtype is not None and np.dtype(dtype) != OBJECT and not (allow_bool and np.dtype(dtype) == BOOLEAN):
            raise Unsupported(f"{name}: dtype={dtype} is not modelled: leave it out or pass x.dtype")

    def _check_method(self, name: str, dtype: Any, out: Any, unknown: dict[str, Any]) -> None:
        self._check_dtype(name, dtype)
        if out is not None:
            raise Unsupported(f"{name}: out= is not modelled")
        _reject(name, unknown)

    def _function(self, name: str) -> np.ufunc:
        return self.meanings.ufunc(name)

    def _raw(self, x: Any) -> Any:
        """x without its class, so that nothing is dispatched again."""
        return _decimals_of_narrow_floats(x).view(np.ndarray) if isinstance(x, np.ndarray) else x

    def _lifted(self, raw: Any) -> np.ndarray:
        return _objects(self._function("lift")(raw))

    def _wrap(self, result: Any) -> Any:
        if isinstance(result, (tuple, list)):
            return type(result)(map(self._wrap, result))
        if self.meanings.is_element(result):
            cell = empty((), dtype=object)
            cell[()] = result
            result = cell
        return result.view(type(self)) if isinstance(result, np.ndarray) and _dtype(result) == OBJECT else result

    def _is_boolean(self, x: Any) -> bool:
        if isinstance(x, np.ndarray) and _dtype(x) == OBJECT:
            return x.size > 0 and all(map(self.meanings.is_truth, x.ravel()))
        return (x.dtype == bool) if isinstance(x, np.ndarray) else self.meanings.is_truth(x)


class SymbolicArray(ObjectArray):
    """An array of terms: reals (Scalar), truth values (Condition) or integers chosen between constants (Scalar)."""

    meanings = SymbolicMeanings()
    running: ClassVar[type[SymbolicArray] | None] = None  # the class that `intercepting` makes, while it does

    def _as_input(self) -> Any:
        return self

    def _machine_integers(self, raw: np.ndarray) -> np.ndarray | None:
        values = [self.meanings.cases((x,)) for x in raw.ravel()]  # also checks that they are integers
        if any(len(v) != 1 for v in values):
            return None
        return array([v[0][1][0] for v in values], dtype=np.intp).reshape(raw.shape)

    def _places(self, shape: tuple[int, ...], key: Any) -> Iterator[tuple[Place, list[tuple[Any, Place]]]]:
        """For every position of the broadcast indices: the places it can mean, each with its condition."""
        parts = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(p, (int, np.integer, np.ndarray)) and not isinstance(p, bool)
                   and asarray(p).dtype.kind != "b" for p in parts) or len(parts) > len(shape):
            raise Unsupported("an index that depends on symbols beside a slice, mask or None: index leading axes only")
        indices = [_objects(x) for x in np.broadcast_arrays(*map(_objects, parts))]
        for i in np.ndindex(*indices[0].shape):
            inside = []
            for guard, place in self.meanings.cases(tuple(x[i] for x in indices)):
                if all(0 <= p < n for p, n in zip(place, shape, strict=False)):
                    inside.append((guard, place))
                elif Ledger.active is None:
                    raise Unsupported("an index out of bounds outside a run")
                else:  # NumPy would wrap a negative one: that is never meant
                    Ledger.active.record("index", FALSE if guard.op == "true" else ~guard)
            if not inside:
                raise IndexError(f"index out of bounds for shape {shape} whatever the inputs are")
            yield i, inside

    def _gather(self, source: np.ndarray, key: Any) -> np.ndarray:
        parts = key if isinstance(key, tuple) else (key,)
        shape = np.broadcast_shapes(*(np.shape(p) for p in parts))
        result = empty(shape + source.shape[len(parts):], dtype=object)
        choose = self._function("choose")
        for i, places in self._places(source.shape, key):
            value = source[places[-1][1]]
            for guard, place in reversed(places[:-1]):
                value = choose(guard, source[place], value)
            result[i] = value
        return result

    def _scatter(self, target: np.ndarray, key: Any, values: Any, step: Callable[[Any, Any, Any], Any]) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        shape = np.broadcast_shapes(*(np.shape(p) for p in parts))
        values = _objects(np.broadcast_to(_objects(values), shape + target.shape[len(parts):]))
        for i, places in self._places(target.shape, key):
            for guard, place in places:
                target[place] = step(target[place], guard, values[i])


# ---------------------------------------------------------------- functions with a meaning of their own
def _where(self: ObjectArray, condition: Any, *branches: Any) -> Any:
    if not branches:
        return np.nonzero(condition)
    c = self._raw(condition)
    if isinstance(c, np.ndarray) and c.dtype == bool:  # NumPy's own choice: an unselected -inf stays what it is
        return self._wrap(np.where(c, *map(self._raw, branches)))
    result = self._function("choose")(c, *map(self._raw, branches))
    return self._wrap(_machine_booleans(result) if all(map(self._is_boolean, map(self._raw, branches))) else result)


def _take(self: ObjectArray, a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    if out is not None or mode != "raise":
        raise Unsupported("np.take: out= and mode= are not modelled")
    source = self._raw(np.asanyarray(a))
    key, symbolic = self._resolve(np.asanyarray(indices))
    if not symbolic:
        return self._wrap(source.take(key, axis))
    if axis is None:
        source, axis = source.reshape(-1), 0
    axis %= source.ndim
    result = self._gather(np.moveaxis(source, axis, 0), key)
    return self._wrap(np.moveaxis(result, range(key.ndim), range(axis, axis + key.ndim)))


def _along_axis(a: np.ndarray, indices: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    """The full index tuple of take_along_axis and put_along_axis."""
    if a.ndim != indices.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    ones = (1,) * a.ndim
    return tuple(indices if d == axis % a.ndim else np.arange(n).reshape([*ones[:d], -1, *ones[d + 1:]])
                 for d, n in enumerate(a.shape))


def _take_along_axis(self: ObjectArray, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        arr, axis = np.asanyarray(arr).reshape(-1), 0
    source = self._raw(np.asanyarray(arr)).astype(object).view(type(self))
    return source[_along_axis(source, np.asanyarray(indices), axis)]


def _put_along_axis(self: ObjectArray, arr: Any, indices: Any, values: Any, axis: Any) -> None:
    if axis is None or _dtype(arr) != OBJECT:
        raise Unsupported("np.put_along_axis: axis=None, or into a machine buffer: allocate it with np.zeros_like(x)")
    arr.view(type(self))[_along_axis(arr, np.asanyarray(indices), axis)] = values


_OWN: dict[Callable[..., Any], Callable[..., Any]] = {
    np.where: _where, np.take: _take, np.take_along_axis: _take_along_axis, np.put_along_axis: _put_along_axis}


# ---------------------------------------------------------------- for those who run kernels
def symbols(name: str, shape: tuple[int, ...], kind: type[SymbolicArray] = SymbolicArray) -> Any:
    """The read-only array of the accesses name[i, j, ...]. A kernel that writes its input gets NumPy's ValueError."""
    owner = empty(shape, dtype=object)
    for i in np.ndindex(*shape):
        owner[i] = access(name, *i)
    owner.flags.writeable = False  # of the owner, so that no view can be made writeable again
    return owner.view(kind)._as_input()


def as_terms(result: Any) -> np.ndarray:
    """A kernel's result, constants included, as a plain array of Scalars; a truth value c is [c]."""
    raw = asarray(result).view(np.ndarray)
    if raw.dtype != object and raw.dtype.kind not in "biuf":
        raise Unsupported(f"a result of dtype {raw.dtype}")
    kind = type(result) if isinstance(result, SymbolicArray) else SymbolicArray.running or SymbolicArray
    meanings = kind.meanings
    return _objects(meanings.ufunc("term")(_decimals_of_narrow_floats(raw)))


def elementwise(name: str, x: ObjectArray) -> Any:
    """An opaque function of the term language (erf, ...) of every element."""
    return x._wrap(np.frompyfunc(lambda e: x.meanings.function(name, e), 1, 1)(x.view(np.ndarray)))


def shares_memory_with_input(outputs: Sequence[Any], inputs: Sequence[Any]) -> list[tuple[int, int]]:
    """(output, input) positions where the output is a view of the input, so that writing one changes the other."""
    return [(i, j) for i, y in enumerate(outputs) for j, x in enumerate(inputs)
            if isinstance(y, np.ndarray) and isinstance(x, np.ndarray)
            and np.shares_memory(y.view(np.ndarray), x.view(np.ndarray))]


@contextmanager
def intercepting(kind: type[ObjectArray]) -> Iterator[None]:
    """While a kernel runs, NumPy makes object arrays of the given class; dtype questions and bare terms are refused."""
    def keeping_class(original: Callable[..., Any]) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            if args and isinstance(args[0], ObjectArray):
                dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
                if dtype is not None and np.dtype(dtype) != OBJECT:
                    return args[0].astype(dtype)
            result = original(*args, **kwargs)
            if _dtype(result) != OBJECT or isinstance(result, ObjectArray):
                return result
            return _without_nesting(result).view(kind)
        return make

    def taking(original: Callable[..., Any]) -> Callable[..., Any]:  # NumPy dispatches it on the array only
        def take(a: Any, indices: Any, *args: Any, **kwargs: Any) -> Any:
            own = isinstance(indices, ObjectArray)
            return _take(indices, a, indices, *args, **kwargs) if own else original(a, indices, *args, **kwargs)
        return take

    def failing(original: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(a, ObjectArray) or (isinstance(a, np.dtype) and a.kind == "O") for a in args):
                raise Unsupported(f"np.{original.__name__} of symbols: floats and the proof would see different things")
            return original(*args, **kwargs)
        return ask

    makers = ("asarray", "array", "ascontiguousarray", "zeros", "ones", "empty", "full")
    changed = {**dict.fromkeys(makers, keeping_class), "take": taking,
               **dict.fromkeys(("issubdtype", "finfo", "iinfo", "nditer", "ndenumerate"), failing)}
    originals = {name: getattr(np, name) for name in changed}
    outer, SymbolicArray.running = SymbolicArray.running, kind if issubclass(kind, SymbolicArray) else None
    try:
        for name, change in changed.items():
            setattr(np, name, change(originals[name]))
        yield
    finally:
        SymbolicArray.running = outer
        for name, original in originals.items():
            setattr(np, name, original)


# ---------------------------------------------------------------- small helpers
def _objects(x: Any) -> np.ndarray:
    """x as a plain object array."""
    return asarray(x, dtype=object).view(np.ndarray)


def _without_nesting(x: np.ndarray) -> np.ndarray:
    """NumPy makes of a list of 0-d arrays an array whose elements are 0-d arrays."""
    if _dtype(x) == OBJECT:
        for i in np.ndindex(*x.shape):
            if isinstance(x[i], np.ndarray):
                x[i] = x[i].view(np.ndarray)[()]
    return x


def _dtype(x: np.ndarray) -> np.dtype[Any]:
    """The dtype of the memory, whatever a subclass answers to x.dtype."""
    return np.ndarray.dtype.__get__(x)  # type: ignore[no-any-return]


def _reject(name: str, unknown: dict[str, Any], allowed: Sequence[str] = ()) -> None:
    names = sorted(set(unknown) - set(allowed))
    if names:
        raise Unsupported(f"np.{name}: {', '.join(names)}= is not modelled")


def _count(a: np.ndarray, axis: Any) -> int:
    """The number of elements along the axes."""
    return prod(a.shape[d] for d in normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim))


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """NumPy's rule for ufuncs: None is all axes, and a 0-d array accepts axis 0 and -1."""
    if axis is None or (ndim == 0 and axis in (0, -1)):
        return tuple(range(ndim))
    return normalize_axis_tuple(axis, ndim)


def _plain_integers(raw: np.ndarray) -> np.ndarray | None:
    if all(isinstance(x, (int, np.integer)) for x in raw.ravel()):
        return raw.astype(np.intp)
    return None


def _machine_booleans(result: Any) -> Any:
    """Truth values that do not depend on symbols as a machine array, so that NumPy can use it as a mask."""
    if isinstance(result, np.ndarray) and all(isinstance(x, (bool, np.bool_)) for x in result.ravel()):
        return result.astype(bool)
    return np.bool_(result) if isinstance(result, bool) else result


def _decimals_of_narrow_floats(x: Any) -> Any:
    """float32(0.1) as an object would be 0.10000000149011612: keep it np.float32, whose shortest decimal is 0.1."""
    if isinstance(x, np.ndarray) and _dtype(x).kind == "f" and _dtype(x) != np.float64:
        return array(list(x.view(np.ndarray).ravel()), dtype=object).reshape(x.shape)
    return x


def _mapped(convert: Callable[[Any], Any], x: Any) -> Any:
    """x with every array in it converted."""
    if isinstance(x, np.ndarray):
        return convert(x)
    if isinstance(x, (list, tuple)):
        return type(x)(_mapped(convert, y) for y in x)
    return {k: _mapped(convert, v) for k, v in x.items()} if isinstance(x, dict) else x


