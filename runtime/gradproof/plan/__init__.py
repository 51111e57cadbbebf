"""compile: a function of arrays as a plan, straight-line NumPy on buffers that are kept from call to call.

The function runs once for each kind of arguments (structure, shapes, dtypes, and what decides a branch), and what it
asks of NumPy is recorded: forward, backward and update alike. The plan leaves out what is not needed, computes in place
where nobody looks any more, and allocates nothing but what it returns.
"""

from __future__ import annotations

import builtins
import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DtypeError, GraphError, describe
from ..op import CannotRecord, PlanValue
from ..tape import Traced
from ..trees import leaves
from .arguments import Kind
from .recording import RecordedArray, Recorder
from .simplify import simplified
from .source import Source, Weak, written_out

MOST_PLANS = 64
ANOTHER = object()  # what a plan returns where a branch would go another way


class Plan:
    """A program for arguments of one kind. `source`: its text."""

    def __init__(self, kind: Kind, text: str, source: Source) -> None:
        self.kind, self.source, self._source = kind, text, source
        self._run: Callable[..., Any] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<plan of {len(self._source.lines)} lines, {self.nbytes:,} bytes>"

    @property
    def nbytes(self) -> int:
        """The memory that the plan keeps, in bytes."""
        return sum(size * int(dtype.itemsize) for dtype, size in self._source.layout.sizes.items())

    def bind(
        self, buffer: Callable[[int, Any], Any] = np.empty, constant: Callable[[Any, Any], Any] = np.asarray
    ) -> Callable[..., Any]:
        """run(arrays..., numbers...) on memory that is made by buffer(size, dtype), with constants that are made by
        constant(array or number, dtype): floats, or symbols."""
        names: dict[str, Any] = {**self._source.functions, "ANOTHER": ANOTHER}
        memory = {dtype: buffer(size, dtype) for dtype, size in self._source.layout.sizes.items()}
        for name, how in self._source.fixed:
            if isinstance(how, Weak):
                names[name] = constant(how.array(), how.dtype)
            elif isinstance(how, np.ndarray):
                names[name] = constant(how, how.dtype)
            elif isinstance(how, tuple):
                place, x = how
                names[name] = part_of(memory[place.dtype][place.start : place.start + place.size], x)
            else:
                names[name] = eval(how, names)  # of what is above
        exec(builtins.compile(self.source, "<plan>", "exec"), names)
        run: Callable[..., Any] = names["run"]
        return run

    def __call__(self, arguments: tuple[Any, ...]) -> Any:
        flat = self.kind.unpack(arguments)
        if flat is None:
            return ANOTHER
        with self._lock:  # the buffers serve one call at a time
            if self._run is None:
                self._run = self.bind()
            return self._run(*flat)


def part_of(buffer: Any, x: RecordedArray | None) -> Any:
    """The first elements of a buffer in the layout of x; all of it if that is None."""
    if x is None:
        return buffer
    if x.size > buffer.size:
        raise RuntimeError(f"a buffer of {buffer.size} elements for {x!r}: a defect of the plan")
    strides = tuple(s // x.itemsize * buffer.itemsize for s in x.strides)
    return np.lib.stride_tricks.as_strided(buffer, x.shape, strides)


class Compiled:
    """What `compile` returns. `plans`: those made so far, the one used last in front."""

    def __init__(self, function: Callable[..., Any], donate: tuple[int, ...]) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function, self.donate = function, donate
        self.plans: list[Plan] = []

    def __call__(self, *arguments: Any) -> Any:
        for number, plan in enumerate(self.plans):
            result = plan(arguments)
            if result is not ANOTHER:
                if number:
                    self.plans = [plan, *(other for other in self.plans if other is not plan)]
                return result
        if any(isinstance(leaf, (Traced, PlanValue)) for leaf in leaves(arguments)):
            return self.function(*arguments)  # differentiated, or part of a larger plan
        if len(self.plans) >= MOST_PLANS:
            return self.function(*arguments)
        plan = self.plan(*arguments)
        self.plans = [plan, *self.plans]  # a new list: another thread may be going through the old one
        result = plan(arguments)
        assert result is not ANOTHER, "a plan does not fit the arguments that it was made for"
        return result

    def plan(self, *arguments: Any) -> Plan:
        """The plan for arguments like these."""
        recorder = Recorder()
        kind = Kind(arguments, self.donate)
        recorded, arrays, numbers = kind.recorded(recorder, arguments)
        try:
            outputs = recorder.finished(self.function(*recorded))
        except ValueError as error:  # NumPy's, for an element of an array that is set to an array
            if isinstance(error.__cause__, CannotRecord):
                raise error.__cause__ from None
            raise
        finally:
            recorder.close()
        instructions, outputs = simplified(recorder, outputs)
        text, source = written_out(instructions, arrays, numbers, recorder.choices, outputs, kind.donated)
        return Plan(kind, text, source)


def compile(function: Callable[..., Any], donate: int | tuple[int, ...] = ()) -> Compiled:
    """The same function as a plan: straight-line NumPy with buffers of its own, made at the first call with arguments
    of new shapes or dtypes. For a training step, as in

        step = compile(step, donate=0)        step(params, x, y) -> (params, loss)

    function: of arrays, numbers, and nested dicts, lists and tuples of them, by gradproof's functions and NumPy's; what
    else it reads (closures, globals) is taken as it is at the first call, and it must have no other effect. Numbers may
    change from call to call; what is neither an array nor a number (None, strings, Booleans) is part of the kind.
    donate: the positions of arguments whose arrays may be overwritten to hold results: they must not be used after.
    Results do not share memory with the plan. Arguments that are not C-contiguous are copied first; what np.errstate
    silences inside the function is not silenced in the plan. Raises GraphError for what needs the values of elements
    (float(x), a mask as an index) outside an op, DtypeError for arguments that are not arrays or numbers, and what the
    function raises.

    >>> import gradproof as gp
    >>> def step(w, x, rate):
    ...     loss, gradient = gp.value_and_grad(lambda w: gp.reduce_sum(gp.square(x @ w)))(w)
    ...     return gp.sgd_update(w, gradient, rate), loss
    >>> fast = compile(step, donate=0)
    >>> fast(np.array([1.0, 2.0]), np.eye(2), 0.25)
    (array([0.5, 1. ]), array(5.))
    """
    positions = donate if isinstance(donate, tuple) else (donate,)
    if not callable(function):
        raise GraphError(describe("compile", "the function cannot be called", "pass a function", given=function))
    for position in positions:
        if type(position) is not int or position < 0:
            raise DtypeError(describe("compile", "donate must be positions of arguments", "pass 0", donate=donate))
    return Compiled(function, positions)


__all__ = ["Compiled", "Plan", "compile"]
