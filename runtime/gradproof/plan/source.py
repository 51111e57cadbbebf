"""A program as Python source: one line per instruction, on buffers and views that are made once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from math import isfinite
from typing import Any

import numpy as np

from ..special import FEW
from . import blocks
from .blocks import Blocks, joined
from .direct import without_copies
from .memory import FILLED, MOVED, Buffer, Layout, is_whole, laid_out, takes_out
from .numbers import Choice, RecordedNumber
from .recording import Instruction, RecordedArray, arrays_in
from .where import where_into

WRITTEN = {np.zeros_like: 0, np.ones_like: 1}


class Source:
    """Names and lines. `fixed`: what is made once, in order, as (name, how): a Buffer with the value in
    it, the text of a view, an array, a number with the dtype that it takes."""

    def __init__(self, layout: Layout, inputs: Sequence[RecordedArray]) -> None:
        self.layout = layout
        self.names: dict[int, str] = {id(x): f"a{k}" for k, x in enumerate(inputs)}
        self.kept: list[Any] = []  # what an id stands for stays alive
        self.lines: list[str] = []
        self.first: list[str] = []  # numbers, before anything is computed
        self.fixed: list[tuple[str, Any]] = []
        self.functions: dict[str, Any] = {}
        self.objects: dict[Any, str] = {}
        self.numbers: dict[int, str] = {}
        self.in_blocks = False

    # ---- names
    def array(self, x: RecordedArray) -> str:
        name = self.names.get(id(x))
        if name is None and x.origin == "constant":
            name = self.made_once("c", x, x.example)
        assert name is not None, "a value is used before it is computed"
        return name

    def is_fixed(self, x: RecordedArray) -> bool:
        """Whether it is the same array in every run: neither its memory nor the view of it is made anew."""
        return self.layout.is_fixed(x) and not self.names.get(id(x), "").startswith("v")

    def made_once(self, letter: str, x: RecordedArray, how: Any) -> str:
        name = f"{letter}{len(self.fixed)}"
        self.fixed.append((name, how))
        self.kept.append(x)
        self.names[id(x)] = name
        return name

    def made_once_in(self, letter: str, result: Any, how: str) -> None:
        """As made_once, for each of several results."""
        if type(result) is RecordedArray:
            self.made_once(letter, result, how)
        elif isinstance(result, (tuple, list)):
            name = f"{letter}{len(self.fixed)}"
            self.fixed.append((name, how))
            for k, x in enumerate(result):
                self.made_once_in(letter, x, f"{name}[{k}]")

    def local(self, x: RecordedArray) -> str:
        name = f"v{len(self.kept)}"
        self.kept.append(x)
        self.names[id(x)] = name
        return name

    def number(self, x: RecordedNumber) -> str:
        if id(x) not in self.numbers:
            assert x.function is not None, "an input that has no name"
            text = f"{self.function(x.function)}({', '.join(map(self.text, x.arguments))})"
            self.numbers[id(x)] = f"n{len(self.numbers)}"
            self.first.append(f"{self.numbers[id(x)]} = {text}")
            if x.function is operator.pow and not is_steady(*x.arguments):
                self.first.append(f"if type({self.numbers[id(x)]}) is not {type(x.example).__name__}: return ANOTHER")
            self.kept.append(x)
        return self.numbers[id(x)]

    def function(self, f: Callable[..., Any]) -> str:
        owner = getattr(f, "__self__", None)
        name = f"{owner.__name__}_{f.__name__}" if isinstance(owner, np.ufunc) else str(getattr(f, "__name__", "f"))
        name = name if name.isidentifier() else "rule"
        stem, count = name, 1
        while self.functions.get(name, f) is not f and self.functions.get(name) != f:
            count += 1
            name = f"{stem}_{count}"
        self.functions[name] = f
        return name

    def object(self, x: Any) -> str:
        key = (type(x), repr(x)) if isinstance(x, np.dtype) else id(x)
        if key not in self.objects:
            self.objects[key] = f"k{len(self.objects)}"
            self.functions[self.objects[key]] = x
            self.kept.append(x)
        return self.objects[key]

    def text(self, x: Any, beside: Any = None) -> str:
        """An argument. beside: the dtype that a Python number takes there."""
        if type(x) is RecordedArray:
            return self.array(x)
        if type(x) is RecordedNumber:
            return self.number(x)
        if type(x) is tuple:
            return f"({', '.join(map(self.text, x))}{',' if len(x) == 1 else ''})"
        if type(x) is list:
            return f"[{', '.join(map(self.text, x))}]"
        if type(x) is slice:
            if x == slice(None):
                return "slice(None)"
            return f"slice({self.text(x.start)}, {self.text(x.stop)}, {self.text(x.step)})"
        if x is Ellipsis:
            return "..."
        if type(x) in (int, float) and beside is not None and beside.kind == "f":
            return self.once(Weak(x, beside))
        if x is None or type(x) in (int, bool, str) or (type(x) is float and isfinite(x)):
            return repr(x)
        return self.object(x)

    def once(self, how: Weak) -> str:
        key = (repr(how.value), how.dtype, how.shape, how.order)
        if key not in self.objects:
            self.objects[key] = f"c{len(self.fixed)}"
            self.fixed.append((self.objects[key], how))
        return self.objects[key]

    def call(self, i: Instruction, out: str | None = None) -> str:
        keywords = dict(i.keywords)
        values = [self.text(x, dtype) for x, dtype in zip(i.arguments, dtypes_taken(i), strict=True)]
        if i.function in (np.maximum, np.minimum) and len(i.arguments) == 2:
            values = [self.spread(i, k) or text for k, text in enumerate(values)]
        if isinstance(i.function, str):
            target, *rest = values
            if i.function in ("__getitem__", "__setitem__"):
                key = i.arguments[1]
                inside = ", ".join(map(self.text, key)) + "," if type(key) is tuple and key else rest[0]
                return f"{target}[{inside}]" + (f" = {rest[1]}" if i.function == "__setitem__" else "")
            return f"{target}.{i.function}({', '.join(rest + self.named(keywords))})"
        if isinstance(i.function, np.ufunc) and out is None and "out" in keywords:
            out = self.text(keywords.pop("out"))
        if out is not None and is_gemm(i):
            return f"{values[0]}.dot({values[1]}, {out})"
        if out is not None and is_reduction(i):
            axis, keepdims = self.text(keywords.get("axis", 0)), bool(keywords.get("keepdims", False))
            return f"{self.function(i.function)}({values[0]}, {axis}, None, {out}{', True' if keepdims else ''})"
        if isinstance(i.function, np.ufunc) and out is not None and i.function not in (np.maximum, np.minimum):
            return f"{self.function(i.function)}({', '.join([*values, out, *self.named(keywords)])})"
        given = self.named(keywords) + ([f"out={out}"] if out is not None else [])
        return f"{self.function(i.function)}({', '.join(values + given)})"

    def spread(self, i: Instruction, k: int) -> str:
        """A number as an array, where the other argument is large: NumPy's loop for a number is three times as slow."""
        number, other, dtype = i.arguments[k], i.arguments[1 - k], dtypes_taken(i)[k]
        if type(number) not in (int, float) or type(other) is not RecordedArray or other.size < FEW or dtype is None:
            return ""
        if self.in_blocks:
            return self.once(Weak(number, dtype, (blocks.ELEMENTS,), (0,))) + "[front]"
        order = tuple(sorted(range(other.ndim), key=lambda axis: -other.strides[axis]))
        shape, size = [1] * other.ndim, 1
        for axis in reversed(order):  # from the innermost in memory
            if size < FEW:
                shape[axis], size = other.shape[axis], size * other.shape[axis]
        return self.once(Weak(number, dtype, tuple(shape), order))

    def named(self, keywords: dict[str, Any]) -> list[str]:
        return [f"{name}={self.text(x)}" for name, x in keywords.items()]

    # ---- instructions
    def add(self, i: Instruction) -> None:
        if type(i) is Blocks:
            self.blocks(i)
        elif i.kind == "guard":
            x, expected = i.arguments
            self.lines.append(f"if {'not ' if expected else ''}{self.array(x)}: return ANOTHER")
        elif i.kind == "constant":
            filled = i.function in FILLED
            self.functions["asarray"] = np.asarray
            self.made_once("c", i.result, i.result.example if filled else f"asarray({self.call(i)})")
        elif i.target is not None and i.function is np.where:
            self.lines.append(self.choice(self.array(i.target), self.reading(i)))
        elif i.kind == "write":
            self.lines.append(self.call(i))
        elif i.kind == "view" and all(map(self.is_fixed, i.arrays())):
            self.made_once_in("b", i.result, self.call(i))
        elif i.kind == "view" and type(i.result) is RecordedArray:
            text = self.call(i)
            self.lines.append(f"{self.local(i.result)} = {text}")
        elif i.kind == "call" and type(i.result) is RecordedArray and takes_out(i):
            self.into(i, i.result)
        else:
            text = self.call(i)
            self.lines.append(text if i.result is None else f"{self.targets(i.result)} = {text}")

    def choice(self, out: str, read: Sequence[str]) -> str:
        self.functions["where_into"] = where_into
        return f"where_into({', '.join([out, *read])})"

    def targets(self, result: Any) -> str:
        if type(result) is RecordedArray:
            return self.local(result)
        if isinstance(result, (tuple, list)) and result:
            return f"({', '.join(map(self.targets, result))},)"
        return "_"

    def into(self, i: Instruction, x: RecordedArray) -> None:
        """A call whose result goes into a buffer."""
        place = self.layout.of(x)
        read = self.reading(i)  # names of what is read come before the name of the result
        out = self.place(place, x)
        if i.function in FILLED:
            if i.function is not np.empty_like:
                value = WRITTEN.get(i.function) if i.function in WRITTEN else i.arguments[1]
                self.lines.append(f"{out}[...] = {self.text(value)}")
        elif i.function in MOVED:
            self.functions["copyto"] = np.copyto
            casting = ", 'unsafe'" if i.function == "astype" else ""
            shape = i.arguments[0].shape
            if shape != x.shape:
                out = self.viewed(out, x, shape)
            self.lines.append(f"copyto({out}, {read[0]}{casting})")
        elif i.function is np.where:
            self.lines.append(self.choice(out, read))
        else:
            self.lines.append(self.call(i, out))

    def blocks(self, i: Blocks) -> None:
        """A loop over the blocks; in it, the names stand for parts of the arrays."""
        whole: dict[int, str] = {}  # by id: the flat array
        for x in (*i.results(), *i.arrays()):
            if x.size > 1 and id(x) not in whole:
                name = self.place(self.layout.of(x), x) if any(x is y for y in i.results()) else self.array(x)
                whole[id(x)] = self.viewed(name, x, (-1,)) if self.is_fixed(x) else f"v{len(self.kept)}"
                if not self.is_fixed(x):
                    self.lines.append(f"{whole[id(x)]} = {name}.reshape(-1)")
                self.kept.append(x)
        names = dict(self.names)
        inside = []
        for x in i.inner:
            whole[id(x)] = f"b{len(self.fixed)}"
            self.fixed.append((whole[id(x)], (self.layout.of(x), None)))
        for count, (key, name) in enumerate(whole.items()):
            self.names[key] = f"p{count}"
            inside.append(f"p{count} = {name}[{'front' if key in map(id, i.inner) else 'block'}]")
        self.in_blocks = True
        for step in i.steps:
            target = step.result if step.target is None else step.target
            read, out = self.reading(step), self.array(target)
            if step.function is np.where:
                inside.append(self.choice(out, read))
            else:
                inside.append(self.call(step, out if step.target is None else None))
        self.in_blocks = False
        self.names = {**self.names, **{key: names[key] for key in whole if key in names}}
        length = blocks.ELEMENTS
        parts = [slice(start, min(start + length, i.size)) for start in range(0, i.size, length)]
        self.lines.append(f"for block, front in {self.object([(p, slice(p.stop - p.start)) for p in parts])}:")
        self.lines += [f"    {line}" for line in inside]

    def reading(self, i: Instruction) -> list[str]:
        return [self.text(x) for x in i.arguments]

    def viewed(self, out: str, x: RecordedArray, shape: Any) -> str:
        if not self.is_fixed(x):
            return f"{out}.reshape({shape!r})"
        name = f"b{len(self.fixed)}"
        self.fixed.append((name, f"{out}.reshape({shape!r})"))
        return name

    def place(self, place: Any, x: RecordedArray) -> str:
        """The name of the memory that a result goes into."""
        if isinstance(place, Buffer):
            return self.made_once("b", x, (place, x))
        if place == "fresh":
            name = self.local(x)
            self.lines.append(f"{name} = empty({x.shape!r}, {self.object(x.dtype)})")
            self.functions["empty"] = np.empty
            return name
        _, k = place
        self.names[id(x)] = f"a{k}"
        self.kept.append(x)
        return f"a{k}"

    # ---- the end
    def finish(self, outputs: Any, donated: Sequence[int], inputs: Sequence[RecordedArray]) -> str:
        """The lines that hand the outputs over, and the expression that is returned."""
        late, of_inputs = {id(x): k for k, x in self.layout.late}, {id(x) for x in inputs}
        overwritten = {k for k, _ in self.layout.late} | {
            place[1] for key, place in self.layout.places.items() if isinstance(place, tuple) and key not in of_inputs
        }
        left = set(donated) - overwritten
        given: set[int] = set()  # the ids of the roots whose memory is handed over
        copies: list[str] = []

        def hand_over(x: RecordedArray) -> str:
            name, place = self.array(x), self.layout.of(x)
            if id(x) in late:
                text = f"a{late[id(x)]}"
                copies.append(f"copyto({text}, {name})")
                self.functions["copyto"] = np.copyto
            elif may_be_given(x, place, inputs, left):
                text = f"a{place[1]}" if isinstance(place, tuple) else name
            else:
                text = ""
            if text and id(x.root) not in given:
                given.add(id(x.root))
                return text
            copy = f"o{len(self.kept)}"
            self.kept.append(x)
            self.lines.append(f"{copy} = array({name})")
            self.functions["array"] = np.array
            return copy

        def text(tree: Any) -> str:
            if type(tree) is RecordedArray:
                return hand_over(tree)
            if type(tree) is dict:
                return "{" + ", ".join(f"{self.text(key)}: {text(x)}" for key, x in tree.items()) + "}"
            if isinstance(tree, tuple) and hasattr(tree, "_fields"):
                return f"{self.object(type(tree))}({', '.join(map(text, tree))})"
            if isinstance(tree, (tuple, list)):
                inside = ", ".join(map(text, tree))
                return f"[{inside}]" if isinstance(tree, list) else f"({inside}{',' if len(tree) == 1 else ''})"
            return self.text(tree)

        result = text(outputs)
        self.lines += copies
        return result


def is_gemm(i: Instruction) -> bool:
    """A product of two matrices that BLAS takes as they are: the method is the shortest way to it. It is another where
    an extent is 1: there it gives -0.0 where np.matmul gives 0.0."""
    if i.function is not np.matmul or len(i.arguments) != 2 or i.keywords:
        return False
    return all(
        type(x) is RecordedArray and x.ndim == 2 and min(x.shape) > 1 and x.dtype == i.result.dtype
        and x.dtype.kind == "f" and min(x.strides) == x.itemsize
        and max(x.strides) >= x.itemsize * x.shape[x.strides.index(min(x.strides))]
        for x in i.arguments
    ) and bool(i.result.example.flags.c_contiguous)  # fmt: skip


def is_reduction(i: Instruction) -> bool:
    return getattr(i.function, "__name__", "") == "reduce" and len(i.arguments) == 1 and set(i.keywords) <= {
        "axis", "keepdims"}  # fmt: skip


def may_be_given(x: RecordedArray, place: Any, inputs: Sequence[RecordedArray], left: Collection[int]) -> bool:
    """Whether an output's own memory can be handed over: nobody else has it. left: the donated inputs that nothing else
    is written into."""
    if isinstance(place, Buffer) or place == "constant" or not is_whole(x) or x.shape != x.root.shape:
        return False
    if place == "result" and x.ndim == 0:  # a number of NumPy's
        return False
    return not isinstance(place, tuple) or x.root is not inputs[place[1]] or place[1] in left


def is_steady(base: Any, exponent: Any) -> bool:
    """Whether a power of numbers has the same type for all of them: not 2**-1, nor (-1.0)**0.5."""
    positive = type(base) is float and base > 0
    return positive or (type(exponent) is int and exponent >= 0)


def dtypes_taken(i: Instruction) -> list[Any]:
    """For each argument the dtype in which a ufunc takes it; None if that is not known."""
    unknown: list[Any] = [None] * len(i.arguments)
    f = i.function
    if not isinstance(f, np.ufunc) or len(i.arguments) != f.nin or i.keywords.keys() - {"out"}:
        return unknown
    kinds = [x.dtype if isinstance(x, np.ndarray) else type(x) for x in i.arguments]
    if not all(isinstance(kind, np.dtype) or kind in (int, float) for kind in kinds):
        return unknown
    return list(f.resolve_dtypes((*kinds, *[None] * f.nout)))[: f.nin]


class Weak:
    """A Python number beside arrays of this dtype, which it takes. shape, order: as an array of this shape, whose axes
    have this order in memory."""

    def __init__(self, value: Any, dtype: Any, shape: tuple[int, ...] = (), order: tuple[int, ...] = ()) -> None:
        self.value, self.dtype, self.shape, self.order = value, dtype, shape, order

    def array(self) -> Any:
        in_memory = np.full([self.shape[axis] for axis in self.order], self.value, self.dtype)
        return in_memory.transpose(np.argsort(self.order)) if self.order else self.value


def written_out(
    instructions: Sequence[Instruction], inputs: Sequence[RecordedArray], numbers: Sequence[RecordedNumber],
    choices: Sequence[Choice], outputs: Any, donated: Sequence[int],
) -> tuple[str, Source]:  # fmt: skip
    """The source of `run(a0, ..., n0, ...)`, and what its names stand for."""
    instructions = joined(without_copies(instructions, outputs), outputs)
    layout = laid_out(instructions, inputs, outputs, donated)
    for x in arrays_in(outputs):
        if x.origin == "constant":
            layout.places[id(x.root)] = "constant"
    source = Source(layout, inputs)
    for k, number in enumerate(numbers):
        source.numbers[id(number)] = f"n{k}"
    for number, value in choices:
        if type(number.example) is bool:
            test = f"if {'not ' if value else ''}{source.number(number)}: return ANOTHER"
        elif value == 0 or value != value:  # 0.0 is not -0.0, and nan is nan
            test = f"if str({source.number(number)}) != {str(value)!r}: return ANOTHER"
        else:
            test = f"if {source.number(number)} != {source.text(value)}: return ANOTHER"
        if test not in source.first:
            source.first.append(test)
    for i in instructions:
        source.add(i)
    result = source.finish(outputs, donated, inputs)
    arguments = [f"a{k}" for k in range(len(inputs))] + [f"n{k}" for k in range(len(numbers))]
    first = ["try:", *(f"    {line}" for line in source.first), "except ArithmeticError:", "    return ANOTHER"]
    body = [*(first if source.first else ()), *source.lines, f"return {result}"]
    return "\n    ".join([f"def run({', '.join(arguments)}):", *body]) + "\n", source
