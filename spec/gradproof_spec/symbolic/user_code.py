"""TRUSTED. Arrays for running users' functions, which were not written for us: wider than `SymbolicArray`.

An array knows the dtype that NumPy would give it (`declared`), so that x.dtype, np.zeros(n, dtype=x.dtype) and writes
into integer arrays mean what they mean in NumPy. What NumPy returns as a number, not as an array, is `scalar`: `+=`
on it makes a new one. Buffers of floats hold symbols. Elements may be infinite (`user_meanings`). What is not modelled
is `Unsupported`, with what to write instead.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

# bound here: `users_code` changes them in the module
from numpy import (
    array,
    asanyarray,
    asarray,
    ascontiguousarray,
    broadcast,
    empty,
    empty_like,
    full,
    isscalar,
    ones,
    ones_like,
    take,
    zeros,
    zeros_like,
)
from numpy.lib.array_utils import byte_bounds

from ..terms import Scalar
from .array import (
    _OWN,
    BOOLEAN,
    CONTRACTING,
    MOVING,
    OBJECT,
    REDUCTIONS,
    ObjectArray,
    Place,
    SymbolicArray,
    _axes,
    _dtype,
    _machine_booleans,
    _mapped,
    _objects,
    _take,
    _without_nesting,
    intercepting,
    symbols,
)
from .ledger import Ledger
from .meanings import COMPARISON, LOGIC, Unsupported
from .user_meanings import USERS, USERS_ARITHMETIC, USERS_LOGIC, Extended

FLOAT, INTEGER = np.dtype(np.float64), np.dtype(np.int64)
NO_NUMBER = ("float(), int(), math.*, .item() or .tolist() of symbols: keep them in arrays, and use np.exp for "
             "math.exp, np.sqrt for math.sqrt, np.where for a choice; a machine array of floats (np.array, np.arange) "
             "cannot hold them: make it with np.zeros, np.empty or np.full")
FLOATS_INTO_INTEGERS = ("floats written into an integer or Boolean array are truncated by NumPy: make it an array of "
                        "floats, with dtype=float or .astype(float)")
BOOLEAN_MEANINGS = {  # of arrays of truth values only: the result is one, too
    np.add: np.logical_or, np.maximum: np.logical_or, np.fmax: np.logical_or, np.multiply: np.logical_and,
    np.minimum: np.logical_and, np.fmin: np.logical_and}
SUMMING = frozenset({np.sum, np.prod, np.mean, np.var, np.std, np.cumsum, np.cumprod, np.any, np.all})
JOINING = frozenset({np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack, np.append})
REMEDIES = {
    **dict.fromkeys(("array_equiv", "unique", "isin"),
                    "compare with <, <= or ==, or compute the condition from the indices"),
    **dict.fromkeys(("percentile", "quantile", "nanpercentile", "partition", "argpartition", "digitize", "searchsorted",
                     "histogram", "lexsort"), "use np.sort, np.argsort or comparisons"),
    **dict.fromkeys(("modf", "divmod"), "use np.trunc, np.floor_divide and np.remainder"),
    **dict.fromkeys(("nansum", "nanmean", "nanmax", "nanmin", "nanstd", "nanvar", "nanprod"),
                    "nothing is nan here: use the function without nan"),
    "arctan2": "use np.arctan of the quotient", "interp": "write it with comparisons and np.where",
    "copysign": "use np.where(y < 0, -abs(x), abs(x))",
    **dict.fromkeys(("svd", "eig", "eigh", "eigvals", "eigvalsh", "qr", "cholesky", "pinv", "lstsq", "matrix_power",
                     "slogdet"), "only det, inv, solve (n <= 3) and norm of np.linalg are modelled"),
}


def dtype_of(x: Any) -> Any:
    """The dtype that NumPy sees; for Python numbers their type, which does not decide the result's dtype."""
    if isinstance(x, PlainUserArray):
        return x.declared
    if isinstance(x, (bool, np.generic)):
        return asarray(x).dtype
    if isinstance(x, (int, float, complex)):
        return type(x)
    if isinstance(x, (list, tuple)):
        return common_dtype(list(leaves(x))) if has_symbols(x) else asarray(x).dtype
    found = _dtype(asarray(x))
    return FLOAT if found == OBJECT else found


def common_dtype(values: Sequence[Any]) -> np.dtype[Any]:
    """The dtype of an array with all these in it."""
    kinds = [dtype_of(v) for v in values]
    strong = [k for k in kinds if isinstance(k, np.dtype)]
    weak = [{int: 0, float: 0.0, complex: 0j}[k] for k in kinds if not isinstance(k, np.dtype)]
    return np.result_type(*strong, *weak) if kinds else FLOAT


def leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, (list, tuple)):
        for y in x:
            yield from leaves(y)
    else:
        yield x


def has_symbols(x: Any) -> bool:
    return any(isinstance(y, ObjectArray) for y in leaves(x))


class PlainUserArray(SymbolicArray):
    """A user's array as NumPy's own Python code sees it: its dtype is object."""

    meanings = USERS
    arithmetic = USERS_ARITHMETIC
    logic = USERS_LOGIC
    reducing = (*SymbolicArray.reducing, np.logaddexp, np.logaddexp2)
    own: ClassVar[dict[Callable[..., Any], Callable[..., Any]]] = {}  # filled by user_functions
    _declared: np.dtype[Any] | None = None
    scalar: bool = False

    def __array_finalize__(self, parent: Any) -> None:
        if isinstance(parent, PlainUserArray):
            self._declared = parent._declared
            self.scalar = parent.scalar and self.ndim == 0

    @property
    def declared(self) -> np.dtype[Any]:
        elements = list(self.view(np.ndarray).ravel())
        if elements and all(map(self.meanings.is_truth, elements)):
            return BOOLEAN
        if self._declared is not None:
            return INTEGER if self._declared == BOOLEAN and elements else self._declared
        if elements and all(map(_looks_integer, elements)):
            raise Unsupported("whether these numbers are integers or floats is not known here: use .astype(float)")
        return FLOAT

    def as_declared(self, dtype: np.dtype[Any] | None, scalar: bool = False) -> Any:
        """This array with its dtype. It must be one that nobody else has."""
        self._declared, self.scalar = dtype, scalar and self.ndim == 0
        if self.scalar:
            self.flags.writeable = False
        return self

    def _as_input(self) -> Any:
        return self.as_declared(FLOAT)

    def _wrap(self, result: Any) -> Any:
        if isinstance(result, (tuple, list)):
            return type(result)(map(self._wrap, result))
        if self.meanings.is_element(result):
            cell = empty((), dtype=object)
            cell[()] = result
            return cell.view(type(self)).as_declared(None, True)
        return super()._wrap(result)

    def _check_dtype(self, name: str, dtype: Any, allow_bool: bool = False) -> None:
        if dtype is None or np.dtype(dtype).kind in "fO" or (allow_bool and np.dtype(dtype) == BOOLEAN):
            return
        if np.dtype(dtype).kind != "i" or name not in ("np.sum", "np.prod", "np.cumsum", "np.cumprod"):
            raise Unsupported(f"{name}: dtype={dtype} is not modelled: leave it out, or use .astype(...)")

    def _of_dtype(self, x: np.ndarray) -> Any:
        self._declared = np.dtype(dtype_of(x))
        return self

    # ---- ufuncs
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc in (np.equal, np.not_equal) and any(x is None for x in inputs):
            return np.full(np.shape(inputs[0 if inputs[1] is None else 1]), ufunc is np.not_equal)
        if ufunc.types == ["O" * ufunc.nin + "->" + "O" * ufunc.nout]:
            return self._call_each(ufunc, method, inputs, kwargs)
        dtype, out = kwargs.pop("dtype", None), kwargs.get("out", (None,))[0]
        numbers = inputs[:1] if method in ("reduce", "accumulate", "reduceat") else inputs
        if method == "at":
            if dtype_of(inputs[0]).kind != "f" and common_dtype(inputs[2:]).kind == "f":
                raise Unsupported(f"np.{ufunc.__name__}.at: {FLOATS_INTO_INTEGERS}")
            return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)
        if ufunc not in USERS_ARITHMETIC and ufunc.__name__ in REMEDIES:
            raise Unsupported(f"np.{ufunc.__name__} is not modelled: {REMEDIES[ufunc.__name__]}")
        if ufunc not in (*USERS_ARITHMETIC, *USERS_LOGIC, *COMPARISON, np.matmul, np.vecdot):
            raise Unsupported(f"np.{ufunc.__name__} is not modelled: write it with the functions of calculus")
        kind = _result_dtype(ufunc, method, numbers)
        if kind == BOOLEAN and method == "__call__" and dtype is None and ufunc in BOOLEAN_MEANINGS and all(
                x._declared == BOOLEAN for x in inputs if isinstance(x, PlainUserArray)):
            return BOOLEAN_MEANINGS[ufunc](*inputs, **kwargs)
        if dtype is not None and np.dtype(dtype) != OBJECT:
            wanted = np.dtype(dtype)
            if wanted == BOOLEAN and ufunc in LOGIC:
                pass
            elif wanted.kind == "f" or (wanted.kind == "i" and kind.kind in "bi"):
                kind = wanted
            else:
                raise Unsupported(f"np.{ufunc.__name__}: dtype={dtype} of {kind} is not modelled: use .astype(...)")
        if kind.kind in "iu" and common_dtype([kwargs.get("initial") or 0]).kind == "f":
            raise Unsupported(f"np.{ufunc.__name__}.{method}: a float as initial= of integers")
        if ufunc is np.power and kind.kind == "i" and _may_be_negative(inputs[1]):
            raise ValueError("Integers to negative integer powers are not allowed.")
        if isinstance(out, PlainUserArray) and out.declared.kind in "iub" and kind.kind == "f":
            raise Unsupported(f"np.{ufunc.__name__} into an integer array: {FLOATS_INTO_INTEGERS}")
        if (kind.kind == "f" and ufunc in (np.floor_divide, np.remainder, np.fmod)) or (
                kind.kind in "iub" and ufunc in (np.floor, np.ceil, np.trunc)):
            if method != "__call__" or kwargs.keys() - {"out"} or not isinstance(out, (PlainUserArray, type(None))):
                raise Unsupported(f"np.{ufunc.__name__}: {method} and keywords are not modelled")
            result = _divided(ufunc, *inputs)
            if out is None:
                return result
            out[...] = result
            return out
        lift = isinstance(out, PlainUserArray) and out._declared is not None and out._declared != BOOLEAN
        result = super().__array_ufunc__(ufunc, method, *inputs, **kwargs)
        if out is not None:
            if lift:
                out.view(np.ndarray)[...] = self._lifted(out.view(np.ndarray))
            return out
        return result.as_declared(kind, scalar=True) if isinstance(result, PlainUserArray) else result

    def _call_each(self, ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: Any) -> Any:
        """A Python function of elements (np.frompyfunc, np.vectorize): each is a 0-d array, never a bare term."""
        if method != "__call__" or kwargs:
            raise Unsupported(f"np.frompyfunc: {method} and keywords are not modelled")
        results = ufunc(*map(_cells, inputs))
        made = []
        for y in results if isinstance(results, tuple) else (results,):
            kinds = {np.dtype(dtype_of(v)) for v in (y.ravel() if isinstance(y, np.ndarray) and y.ndim else [y])}
            if len(kinds) > 1:
                raise Unsupported("a function of elements that returns integers for some and floats for others, "
                                  "which np.vectorize truncates: return floats everywhere (0.0 instead of 0)")
            cells = _without_nesting(_objects(y).copy("K"))
            made.append(cells.view(type(self)).as_declared(kinds.pop() if kinds else FLOAT, scalar=True))
        return tuple(made) if isinstance(results, tuple) else made[0]

    def _reduce(self, ufunc: np.ufunc, method: str, raw: Any, *more: Any, axis: Any = 0, keepdims: bool = False,
                initial: Any = None) -> Any:
        result = super()._reduce(ufunc, method, raw, *more, axis=axis, keepdims=keepdims, initial=initial)
        if ufunc not in REDUCTIONS or method != "reduce" or np.ndim(result) < 2:
            return result
        axes, one = _axes(axis, raw.ndim), slice(1) if keepdims else 0
        return in_order_of(raw[tuple(one if d in axes else slice(None) for d in range(raw.ndim))], result)

    # ---- functions
    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ in REMEDIES and function not in self.own:
            raise Unsupported(f"np.{function.__name__} is not modelled: {REMEDIES[function.__name__]}")
        if function not in MOVING and function not in CONTRACTING and function not in self.own and function not in _OWN:
            raise Unsupported(f"np.{function.__name__} is not modelled: write it with elementwise functions, sums, "
                              f"sorting and indexing")
        if function in (np.sum, np.mean) and not any(kwargs.get("where", True) is x for x in (True, np._NoValue)):
            return _summed_where(function, *args, **kwargs)
        if function in (np.dot, np.outer) and len(args) == 3:
            args, kwargs = args[:2], {**kwargs, "out": args[2]}
        if function in CONTRACTING and (kwargs.get("out") is not None or kwargs.get("dtype") is not None):
            return self._into(function, types, args, kwargs)
        if (kwargs.get("dtype") is not None and function not in SUMMING) or kwargs.get("out") is not None:
            raise Unsupported(f"np.{function.__name__}: dtype= and out= are not modelled: use .astype(...)")
        if function is np.einsum and _einsum_moves(args, kwargs):  # NumPy gives a view of its one operand
            x = next(a for a in args if isinstance(a, PlainUserArray))
            moved = np.einsum(*(x.view(np.ndarray) if a is x else a for a in args), **kwargs)
            return self._wrap(moved).as_declared(x._declared)
        result = super().__array_function__(function, types, args, kwargs)
        if function in self.own or not isinstance(result, PlainUserArray):
            return result
        if function in JOINING:
            joined = args[:2] if function is np.append else args[0] if args else kwargs[next(iter(kwargs))]
            result._declared = common_dtype(list(joined))
            if result._declared.kind == "f":
                result.view(np.ndarray)[...] = self._lifted(result.view(np.ndarray))
        elif function in CONTRACTING:
            result.as_declared(common_dtype([a for a in args if isinstance(a, np.ndarray)]), result.scalar)
        elif result._declared is None and args and (not isinstance(args[0], PlainUserArray)
                                                    or args[0]._declared is not None):
            result._declared = common_dtype([args[0]])
        if result._declared is not None and result.declared.kind in "iu" and not all(
                map(_looks_integer, result.view(np.ndarray).ravel())):
            raise Unsupported(f"np.{function.__name__}: {FLOATS_INTO_INTEGERS}")
        return result

    def _into(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        """np.einsum, np.dot with dtype= and out=."""
        given = {k: v for k, v in kwargs.items() if k not in ("dtype", "out")}
        out, dtype = kwargs.get("out"), kwargs.get("dtype")
        if dtype is not None and np.dtype(dtype) != FLOAT:
            raise Unsupported(f"np.{function.__name__}: dtype={dtype} is not modelled: use .astype(...)")
        if out is not None and (not isinstance(out, PlainUserArray) or out.declared != FLOAT or any(
                np.may_share_memory(out.view(np.ndarray), a) for a in leaves(args) if isinstance(a, np.ndarray))):
            raise Unsupported(f"np.{function.__name__}: out= must be an array of floats of its own: np.empty(shape)")
        result = self.__array_function__(function, types, args, given)
        if out is None:
            return result.astype(dtype)
        if np.shape(result) != out.shape:
            raise ValueError(f"np.{function.__name__}: out has shape {out.shape}, the result {np.shape(result)}")
        out[...] = result
        return out

    # ---- indexing
    def __getitem__(self, key: Any) -> Any:
        result = super().__getitem__(key)
        if not isinstance(result, np.ndarray):  # a Python number or None, put there by NumPy's own code
            cell = empty((), dtype=object)
            cell[()] = result
            result = cell.view(type(self)).as_declared(FLOAT, scalar=True)
        if isinstance(result, PlainUserArray):
            result._declared = self._declared
        return result

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.scalar:
            raise TypeError(f"'numpy.{self.declared}' object does not support item assignment")
        if self._declared is not None:
            kind, given = self.declared, np.dtype(dtype_of(value))
            if kind.kind in "iub" and (given.kind == "f" or (kind == BOOLEAN and given != BOOLEAN)):
                raise Unsupported(FLOATS_INTO_INTEGERS)
            if isinstance(value, (list, tuple)):
                value = made_array(value, None, True)
            if kind != BOOLEAN:
                value = self._lifted(self._raw(value))
        super().__setitem__(key, value)

    def _resolve(self, key: Any) -> tuple[Any, bool]:
        key = tuple(map(_without_floats, key)) if isinstance(key, tuple) else _without_floats(key)
        for part in key if isinstance(key, tuple) else (key,):
            if isinstance(part, PlainUserArray) and part.size and part._declared is not None and (
                    part.declared.kind == "f"):
                raise IndexError("arrays used as indices must be of integer (or boolean) type, not floats")
        return super()._resolve(key)

    def _gather(self, source: np.ndarray, key: Any) -> np.ndarray:
        """Like NumPy's advanced indexing, with slices and None too."""
        advanced = _Advanced(source.shape, key)
        shape = np.shape(source[advanced.at((0,) * len(advanced.positions))]) if 0 not in source.shape else None
        if shape is None:
            raise IndexError("an index into an empty array")
        result = empty(advanced.shape + shape, dtype=object)
        choose = self._function("choose")
        for i in np.ndindex(*advanced.shape):
            places = advanced.places(self, i)
            value = source[advanced.at(places[-1][1])]
            for guard, place in reversed(places[:-1]):
                value = choose(guard, source[advanced.at(place)], value)
            result[i] = value
        return np.moveaxis(result, range(len(advanced.shape)), advanced.axes())

    def _scatter(self, target: np.ndarray, key: Any, values: Any, step: Callable[[Any, Any, Any], Any]) -> None:
        advanced = _Advanced(target.shape, key)
        part = target[advanced.at((0,) * len(advanced.positions))] if 0 not in target.shape else None
        if part is None:
            raise IndexError("an index into an empty array")
        dummy = np.moveaxis(empty(advanced.shape + np.shape(part), dtype=object), range(len(advanced.shape)),
                            advanced.axes())
        values = np.broadcast_to(_objects(values), dummy.shape).view(np.ndarray)
        values = np.moveaxis(values, advanced.axes(), range(len(advanced.shape)))
        for i in np.ndindex(*advanced.shape):
            for guard, place in advanced.places(self, i):
                where = advanced.at(place)
                target[where] = step(target[where], guard, values[i])

    def __contains__(self, value: Any) -> bool:
        raise Unsupported("`in` on an array of symbols: use np.any(x == value)")

    # ---- methods
    def astype(self, dtype: Any, order: str = "K", casting: str = "unsafe",  # type: ignore[override]
               subok: bool = True, copy: bool = True) -> Any:
        if casting != "unsafe" or not subok:
            raise Unsupported("astype: casting= and subok= are not modelled")
        wanted, raw = np.dtype(dtype), self.view(np.ndarray)
        if not copy and wanted == self.declared:
            return self
        if wanted.kind == "b":
            result = self._wrap(_machine_booleans(self._function("truth")(raw)))
        elif wanted.kind in "iu":
            limits = np.iinfo(wanted)
            for x in raw.ravel():
                if any(not limits.min <= v <= limits.max for _, (v,) in self.meanings.cases((x,))):
                    raise Unsupported(f"astype({wanted}) of a value that it cannot hold")
            numbers = self._machine_integers(raw)
            if numbers is not None:
                return numbers.astype(wanted)
            result = self._wrap(self._lifted(raw))
        elif wanted.kind == "f":
            result = self._wrap(self._lifted(raw).copy(order))  # type: ignore[arg-type]
            if wanted.itemsize < FLOAT.itemsize and Ledger.active is not None:
                Ledger.active.notes[f"rounding to {wanted} changes nothing"] = None
        else:
            raise Unsupported(f"astype({wanted})")
        return result.as_declared(wanted, scalar=self.scalar) if isinstance(result, PlainUserArray) else result

    def _arg(self, name: str, axis: Any, out: Any, keepdims: bool) -> Any:
        result = super()._arg(name, axis, out, keepdims)
        return result.as_declared(INTEGER, scalar=True) if isinstance(result, PlainUserArray) else result

    def take(self, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
        return _users_take(self, indices, axis, out, mode)

    def round(self, decimals: Any = 0, out: Any = None) -> Any:
        return np.round(self, decimals, out)

    def fill(self, value: Any) -> None:
        self[...] = value

    def copy(self, order: Any = "C") -> Any:
        return super().copy(order)

    def nonzero(self) -> Any:
        return np.nonzero(self)

    def sort(self, axis: int = -1, **unknown: Any) -> None:  # type: ignore[override]
        self[...] = np.sort(self, axis, **unknown)

    def argsort(self, axis: Any = -1, **unknown: Any) -> Any:  # type: ignore[override]
        return np.argsort(self, axis, **unknown)

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **unknown: Any) -> Any:
        result = super().clip(min, max, out, **unknown)
        return self.copy() if result is self else result

    def _one(self) -> Any:
        if self.size != 1:
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        return self.meanings.lift(self.view(np.ndarray).reshape(())[()])

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous. Use a.any() or "
                             "a.all()")
        raw = self.view(np.ndarray)
        return bool(self.meanings.truth(raw.reshape(())[()] if self._is_boolean(raw) else self._one()))

    def __index__(self) -> int:
        """An integer that depends on symbols: each of its values is a path."""
        if self.declared.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        for guard, (value,) in self.meanings.cases((self._one(),)):
            if bool(guard):
                return int(value)
        raise Unsupported("an integer without a value")

    def __int__(self) -> int:
        return self.__index__() if self.declared.kind in "iu" else int(self.__float__())

    def __float__(self) -> float:
        if self.declared.kind in "iu":
            return float(self.__index__())
        number = self.meanings.constant(self._one())
        if number is not None and abs(number) < 2**1000 and number == float(number):
            return float(number)
        raise Unsupported(NO_NUMBER)

    def item(self, *args: Any) -> Any:
        x = self[args] if args else self
        return x.__index__() if x.declared.kind in "iu" else x.__float__()

    def _no_numbers(self, *_: Any, **__: Any) -> Any:
        raise Unsupported(NO_NUMBER)

    tolist = tobytes = tofile = dump = dumps = __complex__ = _no_numbers

    def __format__(self, spec: str) -> str:
        return str(self)

    def __array_wrap__(self, x: Any, *_: Any) -> Any:
        return self._wrap(x)


def _in_place(name: str, operation: Callable[[Any, Any], Any]) -> None:
    usual = getattr(np.ndarray, name)

    def method(self: PlainUserArray, other: Any) -> Any:
        return operation(self, other) if self.scalar else usual(self, other)

    setattr(PlainUserArray, name, method)


for _name, _operation in {
        "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "truediv": lambda a, b: a / b,
        "pow": lambda a, b: a ** b, "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b,
        "matmul": lambda a, b: a @ b, "and": lambda a, b: a & b, "or": lambda a, b: a | b,
        "xor": lambda a, b: a ^ b}.items():
    _in_place(f"__i{_name}__", _operation)


class UserArray(PlainUserArray):
    """What a user's function works on."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.declared if _dtype(self) == OBJECT else _dtype(self)

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        if np.dtype(dtype) not in (object, self.dtype):  # object: NumPy's as_strided
            raise Unsupported(f"x.dtype = {dtype}: use .astype(...)")

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function in self.own:
            return _upward(self.own[function](self, *args, **kwargs))
        below = self.view(PlainUserArray)
        result = PlainUserArray.__array_function__(
            below, function, tuple(PlainUserArray if t is UserArray else t for t in types),
            _mapped(_downward, args), _mapped(_downward, kwargs))
        return _upward(result)


def _downward(x: np.ndarray) -> np.ndarray:
    return x.view(PlainUserArray) if isinstance(x, UserArray) else x


def _upward(x: Any) -> Any:
    if isinstance(x, PlainUserArray) and not isinstance(x, UserArray):
        return x.view(UserArray)
    if isinstance(x, tuple) and hasattr(x, "_make"):
        return type(x)._make(map(_upward, x))
    return type(x)(map(_upward, x)) if isinstance(x, (list, tuple)) else x


def in_order_of(like: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x with the order in memory that NumPy gives to what it makes of `like`: reshape depends on it."""
    result = empty_like(like.view(np.ndarray), dtype=object)
    result[...] = x
    return result


def _summed_where(function: Callable[..., Any], a: Any, axis: Any = None, *, where: Any, keepdims: bool = False,
                  **unknown: Any) -> Any:
    if unknown:
        raise Unsupported(f"np.{function.__name__}: where= with {', '.join(sorted(unknown))}= is not modelled")
    total = np.where(where, a, 0).sum(axis=axis, keepdims=keepdims)
    if function is np.sum:
        return total
    return total / np.broadcast_to(np.where(where, 1.0, 0.0), np.shape(a)).sum(axis=axis, keepdims=keepdims)


def _einsum_moves(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether it is of one operand and sums nothing: then NumPy gives a view."""
    operands = [a for a in args if isinstance(a, np.ndarray)]
    if len(operands) != 1 or operands[0].ndim == 0 or operands[0].size == 0 or kwargs.keys() - {"optimize"}:
        return False
    machine = empty(operands[0].shape)
    cells: list[Any] = [machine if a is operands[0] else a for a in args]
    return np.may_share_memory(np.einsum(*cells, **kwargs), machine)


def _without_floats(part: Any) -> Any:
    """NumPy reads an empty list as integers."""
    if isinstance(part, list) and not any(True for _ in leaves(part)):
        return array(part, dtype=np.intp)
    return part


class _Advanced:
    """An index with arrays in it: its parts, where they are, and the integers that they can mean."""

    def __init__(self, shape: tuple[int, ...], key: Any) -> None:
        parts: list[Any] = []
        for part in key if isinstance(key, tuple) else (key,):
            is_mask = isinstance(part, (bool, np.bool_)) or (isinstance(part, np.ndarray) and _dtype(part) == BOOLEAN)
            parts += asarray(part).nonzero() if is_mask else [part]
        used = sum(p is not None and p is not Ellipsis for p in parts)
        if used > len(shape):
            raise IndexError("too many indices for array")
        if not any(p is Ellipsis for p in parts):
            parts.append(Ellipsis)
        k = next(i for i, p in enumerate(parts) if p is Ellipsis)
        parts[k:k + 1] = [slice(None)] * (len(shape) - used)
        if any(p is Ellipsis for p in parts):
            raise IndexError("an index can only have a single ellipsis ('...')")
        self.parts = parts
        self.positions = [i for i, p in enumerate(parts) if p is not None and not isinstance(p, slice)]
        indices = [_objects(parts[i]) for i in self.positions]
        self.shape = np.broadcast_shapes(*(x.shape for x in indices))
        self.indices = [_objects(np.broadcast_to(x, self.shape)) for x in indices]
        self.extents = [shape[sum(p is not None for p in parts[:i])] for i in self.positions]

    def at(self, place: Place) -> tuple[Any, ...]:
        found = list(self.parts)
        for i, p in zip(self.positions, place, strict=True):
            found[i] = p
        return tuple(found)

    def axes(self) -> list[int]:
        """Where NumPy puts the axes of the index: first, or in the place of indices that stand side by side."""
        together = self.positions == list(range(self.positions[0], self.positions[-1] + 1))
        return [(self.positions[0] if together else 0) + d for d in range(len(self.shape))]

    def places(self, owner: PlainUserArray, i: Place) -> list[tuple[Any, Place]]:
        inside = []
        for guard, place in owner.meanings.cases(tuple(x[i] for x in self.indices)):
            if all(-n <= p < n for p, n in zip(place, self.extents, strict=True)):
                inside.append((guard, tuple(p % n for p, n in zip(place, self.extents, strict=True))))
            elif Ledger.active is None:
                raise Unsupported("an index out of bounds outside a run")
            else:
                Ledger.active.record("index", ~guard)
        if not inside:
            raise IndexError("index out of bounds whatever the inputs are")
        return inside


# ---------------------------------------------------------------- dtypes
def _result_dtype(ufunc: np.ufunc, method: str, inputs: Sequence[Any]) -> np.dtype[Any]:
    kinds = [dtype_of(x) for x in inputs]
    if ufunc in COMPARISON or ufunc in USERS_LOGIC:
        return BOOLEAN if ufunc.__name__ not in ("bitwise_and", "bitwise_or", "bitwise_xor") else np.result_type(
            *[np.dtype(k) for k in kinds])
    floats = [k for k in kinds if isinstance(k, np.dtype) and k.kind == "f"]
    if floats:
        return np.result_type(*floats, *[k for k in kinds if isinstance(k, np.dtype)])
    if method != "__call__":
        first = np.dtype(kinds[0])
        return INTEGER if first == BOOLEAN and ufunc in (np.add, np.multiply) else first
    if ufunc in (np.matmul, np.vecdot):
        return np.result_type(*[np.dtype(k) for k in kinds])
    try:
        return ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout))[-1]
    except TypeError:
        return FLOAT


def _divided(ufunc: np.ufunc, x: Any, *divisor: Any) -> Any:
    """Rounding integers, or dividing reals with a rest."""
    if ufunc not in (np.floor_divide, np.remainder, np.fmod):
        return np.positive(x)
    y = divisor[0]
    if ufunc is np.floor_divide:
        return np.floor(x / y)
    return x - y * (np.floor if ufunc is np.remainder else np.trunc)(x / y)


def _looks_integer(x: Any) -> bool:
    """Is it a choice between integer constants, whatever its dtype is?"""
    if isinstance(x, (bool, np.bool_, int, np.integer)) or USERS.is_truth(x):
        return True
    if isinstance(x, (float, np.floating)):
        return float(x).is_integer()
    if not isinstance(x, Scalar):
        return False
    if x.op == "number":
        return bool(x.args[0].denominator == 1)
    if x.op in ("add", "mul"):
        return _looks_integer(x.args[0]) and _looks_integer(x.args[1])
    return x.op == "indicator" or (x.op == "where" and _looks_integer(x.args[1]) and _looks_integer(x.args[2]))


def _may_be_negative(x: Any) -> bool:
    elements = x.view(np.ndarray).ravel() if isinstance(x, ObjectArray) else asarray(x).ravel()
    return any(v < 0 for e in elements for _, (v,) in USERS.cases((e,)))


def _cells(x: Any) -> Any:
    """An array whose elements are what Python code gets by reading x's elements."""
    if not isinstance(x, ObjectArray):
        return _objects(x)
    cells = empty_like(x.view(np.ndarray), dtype=object)
    for i in np.ndindex(*x.shape):
        cells[i] = x[i]
    return cells


# ---------------------------------------------------------------- making arrays
def buffer(shape: Any, value: Any, dtype: Any) -> UserArray:
    """An array of floats that can hold symbols."""
    return _filled(empty(shape, dtype=object), value, dtype)


def _filled(result: np.ndarray, value: Any, dtype: Any) -> UserArray:
    if value is not None:
        result[...] = USERS.ufunc("lift")(value)
    return result.view(UserArray).as_declared(np.dtype(dtype))  # type: ignore[no-any-return]


def made_array(x: Any, dtype: Any, copy: bool | None, original: Callable[..., Any] = array, **more: Any) -> Any:
    """np.array and np.asarray."""
    result: Any
    if not isinstance(x, ObjectArray) and not has_symbols(x):
        if copy is not None:
            more["copy"] = copy
        result = original(x, dtype, **more)
        return _without_nesting(result).view(UserArray) if _dtype(result) == OBJECT else result
    ndmin, order = more.pop("ndmin", 0), more.pop("order", None) or "K"
    more.pop("subok", None)  # the class is kept
    if order not in ("K", "C", "A") or any(v is not None for v in more.values()):
        raise Unsupported("np.array, np.asarray: order='F' and like= are not modelled")
    if isinstance(x, ObjectArray):
        result = x if isinstance(x, PlainUserArray) else x.view(UserArray)
        if result.scalar:
            result = result.copy().as_declared(result._declared)
            result.flags.writeable = True
        if dtype is not None and np.dtype(dtype) not in (object, result.declared):
            result = result.astype(dtype)
        elif copy or (order == "C" and not result.flags.c_contiguous):
            result = result.copy(order)
    else:
        values = list(leaves(x))
        cells = _without_nesting(array(x))
        if _dtype(cells) != OBJECT:
            raise Unsupported("an array of such a list")
        result = cells.view(UserArray).as_declared(common_dtype(values))
        if result._declared != BOOLEAN:
            cells[...] = USERS.ufunc("lift")(cells)
        result = result if dtype is None else result.astype(dtype)
    return result.reshape((1,) * (ndmin - result.ndim) + result.shape) if ndmin > result.ndim else result


def _is_float(dtype: Any) -> bool:
    return bool(np.dtype(dtype).kind == "f")


def _filling(original: Callable[..., Any], value: Any) -> Callable[..., Any]:
    def make(shape: Any, dtype: Any = None, order: Any = "C", **more: Any) -> Any:
        if not _is_float(dtype) and np.dtype(dtype) != OBJECT:
            return original(shape, dtype, order, **more)
        if any(v is not None for v in more.values()):
            raise Unsupported(f"np.{original.__name__}: device= and like= are not modelled")
        if np.dtype(dtype) == OBJECT:  # NumPy's own code
            return original(shape, object, order).view(UserArray)
        return _filled(empty(shape, object, order), value, dtype)
    return make


def _full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", **more: Any) -> Any:
    wanted = common_dtype([fill_value]) if dtype is None else np.dtype(dtype)
    if not _is_float(wanted) and not has_symbols(fill_value):
        return full(shape, fill_value, dtype, order, **more)
    if order != "C" or any(v is not None for v in more.values()):
        raise Unsupported("np.full: order=, device= and like= are not modelled")
    result = empty(shape, dtype=object)
    result[...] = USERS.ufunc("lift")(_objects(made_array(fill_value, None, True)))
    filled = result.view(UserArray).as_declared(common_dtype([fill_value]))
    return filled if wanted == filled.declared else filled.astype(wanted)


def _filling_like(original: Callable[..., Any], value: Any) -> Callable[..., Any]:
    def make(prototype: Any, *args: Any, **kwargs: Any) -> Any:
        return filled_like(original, value, prototype, *args, **kwargs)
    return make


def filled_like(original: Callable[..., Any], value: Any, prototype: Any, dtype: Any = None, order: Any = "K",
                subok: bool = True, shape: Any = None, *, device: Any = None) -> Any:
    if device is not None:
        raise Unsupported(f"np.{original.__name__}: device= is not modelled")
    wanted = np.dtype(dtype_of(prototype)) if dtype is None else np.dtype(dtype)
    cells = _objects(prototype) if isinstance(prototype, np.ndarray) else empty(np.shape(prototype), dtype=object)
    if _is_float(wanted) or wanted == OBJECT:  # of objects: NumPy's own code
        result = empty_like(cells, dtype=object, order=order, shape=shape)
        return result.view(UserArray) if wanted == OBJECT else _filled(result, value, wanted)
    result = empty_like(cells, dtype=wanted, order=order, shape=shape)
    if value is not None:
        result[...] = value
    return result


def full_of(prototype: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
            shape: Any = None, *, device: Any = None) -> Any:
    if device is not None:
        raise Unsupported("np.full_like: device= is not modelled")
    wanted = np.dtype(dtype_of(prototype)) if dtype is None else np.dtype(dtype)
    if wanted.kind in "iub" and common_dtype([fill_value]).kind == "f":
        raise Unsupported(f"np.full_like: {FLOATS_INTO_INTEGERS}")
    filled = _full(np.shape(prototype) if shape is None else shape, fill_value, wanted)
    if not isinstance(filled, UserArray):
        return filled
    result = filled_like(empty_like, None, prototype, wanted, order, subok, shape)
    result.view(np.ndarray)[...] = filled.view(np.ndarray)
    return result


def _array(x: Any, dtype: Any = None, *, copy: bool | None = True, **more: Any) -> Any:
    if copy is False and has_symbols(x):
        raise Unsupported("np.array: copy=False is not modelled: use np.asarray")
    return made_array(x, dtype, copy, array, **more)


def _asarray(original: Callable[..., Any]) -> Callable[..., Any]:
    def make(x: Any, dtype: Any = None, order: Any = None, **more: Any) -> Any:
        if not isinstance(x, np.ndarray) and hasattr(x, "__array_interface__") and isinstance(
                base := getattr(x, "base", None), PlainUserArray):  # from as_strided
            return _strided(original(x), base)
        if original is ascontiguousarray and has_symbols(x):
            result = made_array(x, dtype, None)
            return np.atleast_1d(result if result.flags.c_contiguous else result.copy())
        if not has_symbols(x) or isinstance(x, (list, tuple)):
            if has_symbols(x):
                return made_array(x, dtype, None, **({} if order is None else {"order": order}), **more)
            result = original(x, dtype, **({} if order is None else {"order": order}), **more)
            return _without_nesting(result).view(UserArray) if _dtype(result) == OBJECT else result
        return made_array(x, dtype, more.pop("copy", None), **({} if order is None else {"order": order}), **more)
    return make


def _strided(cells: np.ndarray, base: PlainUserArray) -> Any:
    owner: Any = base
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    (low, high), (start, end) = byte_bounds(cells), byte_bounds(owner.view(np.ndarray))
    if low < start or high > end:
        raise Unsupported("as_strided beyond the memory of the array")
    return cells.view(UserArray).as_declared(base._declared)


def _users_take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """Also of a machine array, which NumPy does not dispatch on its indices."""
    if not has_symbols(a) and not has_symbols(indices):
        return take(a, indices, axis, out, mode)  # type: ignore[call-overload]
    source = made_array(a, None, None)
    places = made_array(indices, None, None)
    owner = source if isinstance(source, PlainUserArray) else places
    result = _take(owner, source, places, axis, out, mode)
    kind = np.dtype(dtype_of(source))
    return result.as_declared(kind, scalar=True) if isinstance(result, PlainUserArray) else result


def _isscalar(x: Any) -> bool:
    return x.scalar if isinstance(x, PlainUserArray) else isscalar(x)


def _ndenumerate(x: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    a = np.asarray(x)
    return ((i, a[i]) for i in np.ndindex(*a.shape))


CHANGED: dict[str, Any] = {
    "zeros": _filling(zeros, 0), "ones": _filling(ones, 1), "empty": _filling(empty, None), "full": _full,
    "zeros_like": _filling_like(zeros_like, 0), "ones_like": _filling_like(ones_like, 1),
    "empty_like": _filling_like(empty_like, None), "full_like": full_of,
    "array": _array, "asarray": _asarray(asarray), "asanyarray": _asarray(asanyarray),
    "take": _users_take, "ascontiguousarray": _asarray(ascontiguousarray),
    "isscalar": _isscalar, "ndenumerate": _ndenumerate,
}


def _vectorized(vectorize: Any, *args: Any, **kwargs: Any) -> Any:
    """np.vectorize would hand bare terms to the function."""
    if not any(map(has_symbols, args)) and not any(map(has_symbols, kwargs.values())):
        return VECTORIZE(vectorize, *args, **kwargs)
    if kwargs or vectorize.signature is not None or vectorize.excluded:
        raise Unsupported("np.vectorize: keywords, signature= and excluded= are not modelled")
    function = np.frompyfunc(vectorize.pyfunc, len(args), 1)
    owner = next(made_array(a, None, None) for a in args if has_symbols(a))
    result = owner._call_each(function, "__call__", [made_array(a, None, None) for a in args], {})
    return result.astype(np.dtype(vectorize.otypes[0])) if vectorize.otypes else result


class _Refused:
    """A part of NumPy that would take the elements out of their arrays."""

    def __init__(self, name: str, original: Any) -> None:
        self._name, self._original = name, original

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise Unsupported(f"np.{self._name} is not modelled: use arrays, and np.where for masks")

    def __getattr__(self, name: str) -> Any:
        raise Unsupported(f"np.{self._name} is not modelled: use arrays, and np.where for masks")


class _Random:
    """np.random: only what is the same in every run."""

    def __getattr__(self, name: str) -> Any:
        if name == "default_rng":
            return lambda *args, **kwargs: RANDOM.default_rng(*args, **kwargs) if args or kwargs else self._refuse(name)
        known = ("Generator", "SeedSequence", "PCG64", "RandomState", "BitGenerator", "bit_generator")
        return getattr(RANDOM, name) if name in known else self._refuse(name)

    def _refuse(self, name: str) -> Any:
        raise Unsupported(f"np.random.{name}: every run draws other numbers: pass them as an argument, or use "
                          f"np.random.default_rng(seed)")


class _Broadcast:
    """np.broadcast, of symbols without its iterator over bare terms."""

    def __new__(cls, *arrays: Any) -> Any:
        if not any(map(has_symbols, arrays)):
            return broadcast(*arrays)
        shape = np.broadcast_shapes(*map(np.shape, arrays))
        return SimpleNamespace(shape=shape, ndim=len(shape), nd=len(shape), size=prod(shape))


def _refused_class(original: type) -> type:
    def refuse(cls: type, *args: Any, **kwargs: Any) -> Any:
        raise Unsupported(f"np.{original.__name__} is not modelled: use arrays")

    return type(original.__name__, (original,), {"__new__": refuse})  # a class, because NumPy asks isinstance


class _Index:
    """np.r_ and np.c_."""

    def __init__(self, name: str, original: Any) -> None:
        self._name, self._original = name, original

    def __getitem__(self, key: Any) -> Any:
        if has_symbols(key):
            raise Unsupported(f"np.{self._name} is not modelled: use np.concatenate or np.column_stack")
        return self._original[key]


def _unless_symbols(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        if has_symbols(x) or _dtype(asarray(x)) == OBJECT:
            raise Unsupported(f"np.{original.__name__} is not modelled: use np.asarray")
        return original(x, *args, **kwargs)
    return call


RANDOM = np.random
_KEPT = ModuleType("numpy")  # NumPy's compiled code writes machine numbers into what np.empty gives it
_KEPT.__dict__.update(vars(np))
for _module in [m for n, m in sys.modules.items() if n.startswith("numpy.random.") and vars(m).get("np") is np]:
    vars(_module)["np"] = _KEPT
VECTORIZE = np.vectorize.__call__
CHANGED |= {name: _Refused(name, getattr(np, name)) for name in ("ma", "asmatrix", "fromiter")}
CHANGED |= {name: _refused_class(getattr(np, name)) for name in ("matrix", "poly1d")}
CHANGED |= {name: _Index(name, getattr(np, name)) for name in ("r_", "c_")}
CHANGED |= {name: _unless_symbols(getattr(np, name)) for name in ("asfortranarray", "require", "asarray_chkfinite")}
CHANGED |= {"broadcast": _Broadcast, "random": _Random()}
IMPORTED = {name: getattr(np, name) for name in CHANGED}  # what `from numpy import ...` gave to users' modules


def _namespaces() -> list[dict[str, Any]]:
    """Of the modules that are not NumPy's, nor ours."""
    return [vars(m) for name, m in list(sys.modules.items()) if isinstance(m, ModuleType)
            and name.split(".")[0] not in ("numpy", "scipy", "gradproof", "gradproof_spec")]


def scalar_symbol(name: str) -> Any:
    """A real number under a name, as NumPy returns numbers: a parameter, not a 0-d array."""
    return symbols(name, (), UserArray).as_declared(FLOAT, scalar=True)


@contextmanager
def users_code() -> Iterator[None]:
    """While a user's function runs: its arrays are `UserArray`s, also those that it makes itself."""
    with intercepting(UserArray):
        originals = {name: getattr(np, name) for name in CHANGED}
        places = [(space, n) for space in _namespaces() for n, f in IMPORTED.items() if space.get(n) is f]
        try:
            for name, change in CHANGED.items():
                setattr(np, name, change)
            for space, name in places:
                space[name] = CHANGED[name]
            np.vectorize.__call__ = _vectorized  # type: ignore[method-assign]
            yield
        except TypeError as error:
            if any(f"'{kind}'" in str(error) for kind in ("Scalar", "Condition", Extended.__name__)):
                raise Unsupported(NO_NUMBER) from error
            if "of type UserArray which has no callable" in str(error):
                raise Unsupported("a NumPy function of a list of symbols: make it an array, np.array([...])") from error
            raise
        except IndexError as error:
            if str(error) == "arrays used as indices must be of integer (or boolean) type":
                raise Unsupported("an index that depends on symbols into a machine array: use np.take(table, index, "
                                  "axis=0) to read, and an array of floats (np.zeros) to write") from error
            raise
        except ValueError as error:
            if str(error) == "setting an array element with a sequence.":
                raise Unsupported(NO_NUMBER) from error
            raise
        finally:
            np.vectorize.__call__ = VECTORIZE  # type: ignore[method-assign]
            for name, original in originals.items():
                setattr(np, name, original)
            for space, name in places:
                space[name] = IMPORTED[name]
