"""Recording what a function asks of NumPy: every call on its arrays becomes an instruction.

The function runs once, on RecordedArrays. Each holds an example, so that shapes, strides, dtypes and memory shared with
others are NumPy's own; no value of it leaks: what needs one (`float(x)`, np.asarray(x), a mask as an index) is refused,
and a branch on one is recorded as a guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from ..errors import GraphError, describe
from ..op import CannotRecord, PlanValue
from ..tape import Traced
from ..trees import map_leaves
from .numbers import Choice, RecordedNumber

_DISPATCHED = frozenset({
    np.reshape, np.ravel, np.transpose, np.moveaxis, np.swapaxes, np.expand_dims, np.squeeze, np.roll, np.rollaxis,
    np.broadcast_to, np.concatenate, np.stack, np.vstack, np.hstack, np.split, np.array_split, np.pad, np.flip, np.tile,
    np.repeat, np.atleast_1d, np.atleast_2d, np.diagonal, np.diag, np.trace, np.tril, np.triu, np.zeros_like,
    np.ones_like, np.empty_like, np.full_like, np.copy, np.copyto, np.shape, np.ndim, np.size, np.matrix_transpose,
    np.lib.stride_tricks.sliding_window_view, np.lib.stride_tricks.as_strided, np.result_type,
    np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.amax, np.amin, np.argmax, np.argmin, np.any, np.all,
    np.cumsum, np.cumprod, np.diff, np.clip, np.sort, np.argsort, np.take, np.take_along_axis, np.put_along_axis,
    np.dot, np.tensordot, np.einsum, np.inner, np.outer, np.kron, np.where, np.round, np.linalg.norm,
    np.shares_memory, np.may_share_memory, np.einsum_path,
})  # fmt: skip
"""What may be recorded: the shape of the result depends on shapes alone."""
_OF_SHAPES = frozenset({np.shape, np.ndim, np.size, np.result_type, np.shares_memory, np.may_share_memory,
                        np.einsum_path})  # fmt: skip
_TAKE_NUMBERS = frozenset({np.where, np.full_like, np.clip, np.copyto, np.asarray})
"""Where a number that changes may stand among the arguments, as in a ufunc; anywhere else it is a choice."""
_AS_METHODS = {np.sum: "sum", np.prod: "prod", np.max: "max", np.min: "min", np.amax: "max", np.amin: "min",
               np.any: "any", np.all: "all", np.mean: "mean", np.reshape: "reshape", np.transpose: "transpose",
               np.ravel: "ravel", np.copy: "copy"}  # fmt: skip


@dataclass(slots=True, eq=False)
class Instruction:
    """One call. function: a function, or the name of a method of the first argument. result: the new RecordedArray, a
    nested tuple of them, or None. target: an array that exists and is written into. source: of a view, the argument
    that it is a view of.

    kind: "call", new memory; "view", memory of an argument; "write", into the target; "guard", that the first argument
    is true exactly if the second is; "whole", a rule as it stands; "constant", the same in every run, so that it is
    computed once.
    """

    kind: str
    function: Callable[..., Any] | str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    target: RecordedArray | None = None
    source: RecordedArray | None = None

    def arrays(self) -> Iterator[RecordedArray]:
        """Those that it reads or writes."""
        yield from arrays_in((self.arguments, self.keywords))
        if self.target is not None:
            yield self.target

    def results(self) -> Iterator[RecordedArray]:
        yield from arrays_in(self.result)


def arrays_in(tree: Any) -> Iterator[RecordedArray]:
    if type(tree) is RecordedArray:
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from arrays_in(item)
    elif isinstance(tree, dict):
        yield from arrays_in(tuple(tree.values()))
    elif isinstance(tree, slice):
        yield from arrays_in((tree.start, tree.stop, tree.step))


def replaced(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    """The arguments with every array and recorded number replaced."""
    if type(tree) in (RecordedArray, RecordedNumber):
        return leaf(tree)
    if isinstance(tree, (tuple, list)):
        items = [replaced(item, leaf) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if type(tree) is dict:
        return {key: replaced(item, leaf) for key, item in tree.items()}
    return slice(*replaced((tree.start, tree.stop, tree.step), leaf)) if isinstance(tree, slice) else tree


def example_of(x: Any) -> Any:
    return x.example


def settled(tree: Any) -> Any:
    """The arguments with the numbers that change as they are now; from here on the plan is for these."""
    return replaced(tree, lambda x: x.chosen() if type(x) is RecordedNumber else x)


def is_plain(array: Any) -> bool:
    """Whether it is a plain array of numbers."""
    return type(array) is np.ndarray and array.dtype.kind in "fiubc"


class Recorder:
    """The instructions of one run, in order."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.owners: dict[int, RecordedArray] = {}  # by the id of the array that owns the example's memory
        self.constants: dict[int, tuple[Any, RecordedArray]] = {}
        self.choices: list[Choice] = []
        self.closed = False

    # ---- values
    def owning(self, example: Any, origin: str) -> RecordedArray:
        """A value with memory of its own. origin: "input", "constant" or "made"."""
        if not is_plain(example):
            remedy = "keep to plain arrays of numbers"
            raise self.refused(f"an array of {type(example).__name__} and dtype {example.dtype}", remedy)
        x = RecordedArray(self, example, None, origin)
        self.owners[id(memory(example))] = x
        return x

    def input(self, array: Any) -> RecordedArray:
        return self.owning(array.copy(order="C"), "input")

    def constant(self, array: Any) -> RecordedArray:
        """An array of the function's surroundings, as it is now."""
        _, known = self.constants.get(id(array), (None, None))
        if known is None or known.example.tobytes() != array.tobytes():  # the function may have written into it
            known = self.owning(array.copy(order="K"), "constant")
            self.constants[id(array)] = (array, known)
        return known

    def number(self, value: Any) -> RecordedNumber:
        return RecordedNumber(self, value)

    def operand(self, x: Any) -> Any:
        """An argument in the form in which it is kept."""
        if type(x) in (RecordedArray, RecordedNumber):
            if x.recorder is not self or self.closed:
                what, remedy = "a value of a function that was compiled is used outside it", "return it instead"
                raise GraphError(describe("compile", what, remedy, value=x))
            return x
        if isinstance(x, Traced):
            remedy = "use gradproof's own functions"
            raise GraphError(describe("compile", "NumPy's function got a traced value", remedy, value=x))
        if isinstance(x, np.ndarray):
            return self.constant(x)
        if isinstance(x, (tuple, list)):
            return (list if isinstance(x, list) else tuple)(self.operand(item) for item in x)
        return x

    def operands(self, function: Any, arguments: Any, keywords: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments in the form in which they are kept."""
        if isinstance(function, np.ufunc) or function in _TAKE_NUMBERS:
            arguments = tuple(x if type(x) is RecordedNumber else settled(x) for x in arguments)
        else:
            arguments = settled(arguments)
        return self.operand(arguments), {key: self.operand(settled(x)) for key, x in keywords.items()}

    def wrapped(self, result: Any) -> tuple[Any, bool]:
        """The recorded form of a result, and whether it is memory that was known before."""
        if isinstance(result, (tuple, list)):
            parts = [self.wrapped(item) for item in result]
            return type(result)(part for part, _ in parts), any(known for _, known in parts)
        if isinstance(result, np.generic):
            x = self.owning(np.asarray(result), "made")
            x.scalar = True
            return x, False
        if not isinstance(result, np.ndarray):
            return result, False
        owner = self.owners.get(id(memory(result)))
        if owner is None:
            return self.owning(result, "made"), False
        return RecordedArray(self, result, owner.root, owner.origin), True

    # ---- instructions
    def call(self, function: Callable[..., Any] | str, *arguments: Any, **keywords: Any) -> Any:
        """A call that returns something and writes into nothing."""
        arguments, keywords = self.operands(function, arguments, keywords)
        with np.errstate(all="ignore"):
            result = applied(function, replaced(arguments, example_of), replaced(keywords, example_of))
        if any(type(x) is RecordedArray and x.example is result for x in arguments[1:]):
            raise self.refused("an array to write into that is not named", "pass it as out=...")
        found, known = self.wrapped(result)
        made = Instruction("view" if known else "call", function, arguments, keywords, found)
        if known and type(found) is RecordedArray:
            made.source = next(x for x in made.arrays() if x.root is found.root)
        self.instructions.append(made)
        return found

    def write(self, function: Callable[..., Any] | str, target: Any, arguments: Any, keywords: Any) -> None:
        """A call that writes into `target`, which stands among the arguments where the function wants it."""
        if type(target) is not RecordedArray or target.origin == "constant":
            what, remedy = "writing into an array that was made outside", "allocate it with np.zeros_like(x, shape=...)"
            raise self.refused(what, remedy)
        if target.origin == "input":
            raise self.refused("writing into an argument", "write into a copy of it")
        arguments, keywords = self.operands(function, arguments, keywords)
        with np.errstate(all="ignore"):
            applied(function, replaced(arguments, example_of), replaced(keywords, example_of))
        self.instructions.append(Instruction("write", function, arguments, keywords, None, target))

    def ufunc(self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        out, *more = keywords.pop("out", (None,))
        if more:
            raise self.refused(f"np.{ufunc.__name__} into several arrays", "let it return them")
        if method == "at":
            return self.write(function, inputs[0], inputs, keywords)
        if out is None:
            return self.call(function, *inputs, **keywords)
        self.write(function, out, inputs, {**keywords, "out": out})
        return out

    def function(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """A call that may be told where to write."""
        out = keywords.pop("out", None)
        if out is None:
            return self.call(function, *arguments, **keywords)
        self.write(function, out, arguments, {**keywords, "out": out})
        return out

    def guard(self, x: RecordedArray) -> bool:
        """The truth of a value: assumed from here on, and looked at in every run."""
        self.operand(x)
        expected = bool(x.example)
        self.instructions.append(Instruction("guard", bool, (x, expected)))
        return expected

    def whole(self, rule: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        """A rule of an op as one instruction, where it needs values."""
        if self.numbers_in(arguments, keywords):
            raise self.refused("a number that changes, in a rule that needs values", "pass it as a constant")
        arguments, keywords = self.operand(arguments), {key: self.operand(x) for key, x in keywords.items()}
        result = rule(*replaced(arguments, example_of), **replaced(keywords, example_of))
        found, _ = self.wrapped(result)
        self.instructions.append(Instruction("whole", rule, arguments, keywords, found))
        return found

    def refused(self, what: str, remedy: str) -> CannotRecord:
        return CannotRecord(describe("compile", f"{what} cannot be recorded", remedy), self)

    def finished(self, outputs: Any) -> Any:
        """What the function returns, in containers of its own."""
        def leaf(x: Any) -> Any:
            if isinstance(x, Traced) or (type(x) in (RecordedArray, RecordedNumber) and x.recorder is not self):
                what = "the function returns a value of another transform"
                raise GraphError(describe("compile", what, "return the results of the transform", value=x))
            if isinstance(x, (np.ndarray, np.generic)) and not isinstance(x, PlanValue):
                return self.constant(np.asarray(x))
            if x is not None and not isinstance(x, (np.ndarray, int, float, complex, str)):
                what = "the function returns what is neither an array nor a number"
                raise GraphError(describe("compile", what, "return arrays", type=type(x).__name__))
            return x

        return map_leaves(leaf, outputs)

    def close(self) -> None:
        """Nothing can be recorded any more."""
        self.closed = True

    def numbers_in(self, *trees: Any) -> bool:
        found: list[Any] = []
        replaced(trees, lambda x: found.append(x) if type(x) is RecordedNumber else None)
        return bool(found)


def memory(array: Any) -> Any:
    """The object that owns an array's memory."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def is_same_memory(a: Any, b: Any) -> bool:
    """Whether two arrays are the same elements in the same order."""
    return bool(
        a.shape == b.shape and a.strides == b.strides and a.dtype == b.dtype
        and a.__array_interface__["data"] == b.__array_interface__["data"]
    )  # fmt: skip


def applied(function: Callable[..., Any] | str, arguments: Any, keywords: Any) -> Any:
    if isinstance(function, str):
        return getattr(arguments[0], function)(*arguments[1:], **keywords)
    return function(*arguments, **keywords)


class RecordedArray(PlanValue):
    """An array of the function that is being recorded. isinstance(x, np.ndarray) holds, so that what takes arrays takes
    it; NumPy's own code does not see an array, so that nothing escapes the record.

    example: an array of this shape, dtype and layout. root: the value whose memory it is. origin: of that memory.
    scalar: NumPy would give a number here, which `+=` rebinds.
    """

    __slots__ = ("_root", "example", "origin", "recorder", "scalar")
    __hash__ = object.__hash__

    def __init__(self, recorder: Recorder, example: Any, root: RecordedArray | None, origin: str) -> None:
        self.recorder, self.example, self._root, self.origin = recorder, example, root, origin
        self.scalar = False

    @property
    def __class__(self) -> type[Any]:
        return np.ndarray

    @__class__.setter
    def __class__(self, _: Any) -> NoReturn:
        raise TypeError("the class of a recorded array is fixed")

    @property
    def root(self) -> RecordedArray:
        return self if self._root is None else self._root

    shape = property(lambda self: self.example.shape)
    ndim = property(lambda self: self.example.ndim)
    size = property(lambda self: self.example.size)
    dtype = property(lambda self: self.example.dtype)
    strides = property(lambda self: self.example.strides)
    itemsize = property(lambda self: self.example.itemsize)
    nbytes = property(lambda self: self.example.nbytes)
    flags = property(lambda self: self.example.flags)
    base = property(lambda self: None if self._root is None else self._root)
    T = property(lambda self: self.transpose())

    def __repr__(self) -> str:
        return f"RecordedArray(shape={self.shape}, dtype={self.dtype})"

    def whole_rule(self, rule: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        return self.recorder.whole(rule, arguments, keywords)

    def as_array(self, dtype: Any = None) -> Any:
        return self

    def as_float(self) -> Any:
        return float(self)

    # ---- NumPy's protocols
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        if any(isinstance(x, Traced) for x in inputs):
            return NotImplemented  # it is differentiated: NumPy asks the traced value next
        return self.recorder.ufunc(ufunc, method, inputs, keywords)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, keywords: Any) -> Any:
        recorder = self.recorder
        if function in _OF_SHAPES:
            return function(*replaced(args, example_of), **replaced(keywords, example_of))
        by_value = (function is np.where and len(args) == 1) or (
            function is np.repeat and any(type(x) is RecordedArray for x in (*args[1:], *keywords.values()))
        )
        if function not in _DISPATCHED or by_value:
            remedy = "use a function whose result has a shape known beforehand"
            raise self.recorder.refused(f"np.{function.__name__}", remedy)
        if not args:
            raise recorder.refused(f"np.{function.__name__} of a named argument", "do not name the first one")
        if function is np.copyto or function is np.put_along_axis:
            return recorder.write(function, args[0], args, keywords)
        if function is np.copy and len(args) == 1 and not keywords:
            return args[0].copy("K")  # unlike the method
        if function in _AS_METHODS and type(args[0]) is RecordedArray and not keywords.keys() & {"shape", "axes"}:
            return getattr(args[0], _AS_METHODS[function])(*args[1:], **keywords)
        return recorder.function(function, *args, **keywords)

    # ---- methods
    def reshape(self, *shape: Any, **keywords: Any) -> Any:
        return self.recorder.call("reshape", self, *shape, **keywords)

    def transpose(self, *axes: Any) -> Any:
        return self.recorder.call("transpose", self, *axes)

    def swapaxes(self, first: int, second: int) -> Any:
        return self.recorder.call("swapaxes", self, first, second)

    def squeeze(self, axis: Any = None) -> Any:
        return self.recorder.call("squeeze", self, axis)

    def ravel(self, order: str = "C") -> Any:
        return self.recorder.call("ravel", self, order)

    def copy(self, order: str = "C") -> Any:
        return self.recorder.call("copy", self, order)

    def flatten(self, order: str = "C") -> Any:
        return self.recorder.call("flatten", self, order)

    def astype(self, dtype: Any, order: str = "K", casting: str = "unsafe", copy: bool = True) -> Any:
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        return self.recorder.call("astype", self, np.dtype(dtype), order, casting)

    def clip(self, min: Any = None, max: Any = None, **keywords: Any) -> Any:
        return np.clip(self, min, max, **keywords)

    def fill(self, value: Any) -> None:
        self[...] = value

    def sum(self, axis: Any = None, dtype: Any = None, **keywords: Any) -> Any:
        return np.add.reduce(self, axis=axis, **with_dtype(dtype, keywords))

    def prod(self, axis: Any = None, dtype: Any = None, **keywords: Any) -> Any:
        return np.multiply.reduce(self, axis=axis, **with_dtype(dtype, keywords))

    def max(self, axis: Any = None, **keywords: Any) -> Any:
        return np.maximum.reduce(self, axis=axis, **keywords)

    def min(self, axis: Any = None, **keywords: Any) -> Any:
        return np.minimum.reduce(self, axis=axis, **keywords)

    def any(self, axis: Any = None, **keywords: Any) -> Any:
        return np.logical_or.reduce(self, axis=axis, **keywords)

    def all(self, axis: Any = None, **keywords: Any) -> Any:
        return np.logical_and.reduce(self, axis=axis, **keywords)

    def mean(self, axis: Any = None, *more: Any, **keywords: Any) -> Any:
        if self.dtype not in (np.float32, np.float64) or more or keywords.keys() - {"keepdims"} or self.size > 2**24:
            return self.recorder.function(np.mean, self, axis, *more, **keywords)  # its sum has another dtype
        total = self.sum(axis=axis, **keywords)
        return np.true_divide(total, self.size // max(total.size, 1))

    def erf(self) -> Any:
        from ..special import erf

        return self.recorder.call(erf, self)

    # ---- elements
    def __getitem__(self, key: Any) -> Any:
        key = key if isinstance(key, tuple) else (key,)
        if any(is_mask(part) for part in key):
            raise self.recorder.refused("a mask as an index", "use np.where, or multiply by the mask")
        if any(type(part) is RecordedArray and part.scalar for part in key) and self.ndim > len(key):
            raise self.recorder.refused("a view at a place that depends on values", "use np.take(x, k, axis=0)")
        if not is_simple(key) or any(part is Ellipsis for part in key):
            return self.recorder.call("__getitem__", self, key)
        part = self.part(key)
        if part.ndim:
            return part
        element = part.copy()
        element.scalar = True
        return element

    def part(self, key: tuple[Any, ...]) -> Any:
        """A view, also of one element."""
        return self.recorder.call("__getitem__", self, key if any(x is Ellipsis for x in key) else (*key, Ellipsis))

    def __setitem__(self, key: Any, value: Any) -> None:
        part = self.part(key if isinstance(key, tuple) else (key,)) if is_simple(key) else None
        if part is not None and type(value) is RecordedArray and is_same_memory(part.example, value.example):
            return  # x[key] += y: the sum is there already
        if part is not None and (type(value) is RecordedNumber or np.ndim(value) <= part.ndim):
            self.recorder.write(np.copyto, part, (part, value), {"casting": "unsafe"})
        elif is_mask(key) and key.shape == self.shape and np.ndim(value) == 0:
            self.recorder.write(np.copyto, self, (self, value), {"casting": "unsafe", "where": key})
        else:
            self.recorder.write("__setitem__", self, (self, key, value), {})

    def __len__(self) -> int:
        return len(self.example)

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self.example)))

    def __bool__(self) -> bool:
        return self.recorder.guard(self)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        what = "turning an array into a number, or into another kind of array,"
        raise self.recorder.refused(what, "keep to NumPy's functions")

    __array__ = __float__ = __int__ = __index__ = __complex__ = __reduce_ex__ = item = tolist = view = _refuse

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, _: Any) -> Any:
        return self.copy()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array has no attribute {name!r}")
        raise self.recorder.refused(f"the array's .{name}", "keep to NumPy's functions")


def with_dtype(dtype: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    return keywords if dtype is None else {**keywords, "dtype": dtype}


def is_simple(key: Any) -> bool:
    """Whether x[key] is a view."""
    parts = key if isinstance(key, tuple) else (key,)
    return not any(map(is_mask, parts)) and all(
        part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice)) for part in parts
    )


def is_mask(part: Any) -> bool:
    if isinstance(part, (bool, np.bool_)):
        return True
    return isinstance(part, (np.ndarray, list)) and getattr(part, "dtype", np.asarray(0).dtype).kind == "b"


def _binary(ufunc: np.ufunc, swapped: bool = False) -> Callable[[RecordedArray, Any], Any]:
    def method(self: RecordedArray, other: Any) -> Any:
        return ufunc(other, self) if swapped else ufunc(self, other)

    return method


def _in_place(ufunc: np.ufunc) -> Callable[[RecordedArray, Any], Any]:
    def method(self: RecordedArray, other: Any) -> Any:
        return NotImplemented if self.scalar else ufunc(self, other, out=self)

    return method


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *arguments, **keywords: function(self, *arguments, **keywords)


_OPERATORS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "pow": np.power,
              "matmul": np.matmul, "floordiv": np.floor_divide, "mod": np.remainder, "and": np.bitwise_and,
              "or": np.bitwise_or, "xor": np.bitwise_xor}  # fmt: skip
_COMPARISONS = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
                "ne": np.not_equal}  # fmt: skip
for _name, _ufunc in _OPERATORS.items():
    setattr(RecordedArray, f"__{_name}__", _binary(_ufunc))
    setattr(RecordedArray, f"__r{_name}__", _binary(_ufunc, swapped=True))
    setattr(RecordedArray, f"__i{_name}__", _in_place(_ufunc))
for _function in (np.take, np.argmax, np.argmin, np.cumsum, np.cumprod, np.dot, np.round, np.var, np.std, np.repeat):
    setattr(RecordedArray, _function.__name__, _method(_function))
for _name, _ufunc in _COMPARISONS.items():
    setattr(RecordedArray, f"__{_name}__", _binary(_ufunc))
for _name, _ufunc in {"neg": np.negative, "abs": np.absolute, "invert": np.invert, "pos": np.positive}.items():
    setattr(RecordedArray, f"__{_name}__", lambda self, _ufunc=_ufunc: _ufunc(self))

__all__: Sequence[str] = ("Instruction", "RecordedArray", "Recorder")
