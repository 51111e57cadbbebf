"""The kind of a call's arguments: what a plan is made for, and how its arrays and numbers are taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DomainError, DtypeError, describe
from ..trees import is_leaf, map_leaves
from .recording import RecordedArray, Recorder


class Kind:
    """Structure, shapes and dtypes. unpack(arguments) -> the arrays, then the numbers; None for another kind.

    donated: the numbers of the arrays that may be overwritten.
    """

    def __init__(self, arguments: tuple[Any, ...], donate: Sequence[int]) -> None:
        self.arrays: list[str] = []
        self.numbers: list[str] = []
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"ndarray": np.ndarray, "contiguous": np.ascontiguousarray, "asarray": np.asarray}
        self.donated: list[int] = []
        if any(position >= len(arguments) for position in donate):
            what, remedy = "donate names no argument", "they are positions of arguments"
            raise DomainError(describe("compile", what, remedy, donate=donate, given=len(arguments)))
        for position, argument in enumerate(arguments):
            first = len(self.arrays)
            self._take(argument, f"arguments[{position}]")
            if position in donate:
                self.donated += range(first, len(self.arrays))
        checks = [f"if len(arguments) != {len(arguments)}: return None", *self.lines]
        if self.donated:
            self.names["own"] = own
            text = f"[{', '.join(self.arrays)}]"
            checks.append(f"{', '.join(self.arrays)}, = own({text}, {self.donated})")
        flat = "".join(f"{name}, " for name in (*self.arrays, *self.numbers))
        body = "".join(f"        {line}\n" for line in checks)
        text = (
            f"def unpack(arguments):\n    try:\n{body}        return ({flat})\n"
            f"    except (KeyError, IndexError):\n        return None\n"
        )
        exec(text, self.names)
        self.unpack = self.names["unpack"]

    def _take(self, tree: Any, path: str) -> None:
        if not is_leaf(tree):
            name = f"t{len(self.lines)}"
            kind = self._name(type(tree))
            self.lines.append(f"{name} = {path}")
            same = f"[*{name}] == {self._name(list(tree))}" if isinstance(tree, dict) else f"len({name}) == {len(tree)}"
            self.lines.append(f"if type({name}) is not {kind} or not {same}: return None")
            for key in tree if isinstance(tree, dict) else range(len(tree)):
                self._take(tree[key], f"{name}[{key!r}]" if type(key) in (str, int) else f"{name}[{self._name(key)}]")
        elif isinstance(tree, (np.ndarray, np.generic)):
            name = f"a{len(self.arrays)}"
            self.arrays.append(name)
            if type(tree) is not np.ndarray and not isinstance(tree, np.generic):
                what = "an argument is an array of a special class"
                raise DtypeError(describe("compile", what, "pass it with np.asarray", type=type(tree).__name__))
            if tree.dtype.kind not in "fiub":
                raise DtypeError(describe("compile", "an argument holds no numbers", "convert it", dtype=tree.dtype))
            self.lines.append(f"{name} = {path}")
            if isinstance(tree, np.generic):
                self.lines.append(f"if type({name}) is not {self._name(type(tree))}: return None")
                self.lines.append(f"{name} = asarray({name})")
                return
            dtype = self._name(tree.dtype)
            self.lines.append(
                f"if type({name}) is not ndarray or {name}.shape != {tree.shape!r} or {name}.dtype != {dtype}: "
                f"return None"
            )
            if tree.ndim:
                self.lines.append(f"if not {name}.flags.c_contiguous: {name} = contiguous({name})")
        elif type(tree) in (int, float):
            name = f"n{len(self.numbers)}"
            self.numbers.append(name)
            self.lines += [f"{name} = {path}", f"if type({name}) is not {type(tree).__name__}: return None"]
        elif tree is None or isinstance(tree, (bool, str)):
            kind, value = self._name(type(tree)), self._name(tree)
            self.lines.append(f"if type({path}) is not {kind} or {path} != {value}: return None")
        else:
            what = "an argument is neither an array nor a number"
            raise DtypeError(describe("compile", what, "pass arrays", type=type(tree).__name__))

    def _name(self, x: Any) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = x
        return name

    def recorded(self, recorder: Recorder, arguments: Any) -> tuple[Any, list[RecordedArray], list[Any]]:
        """The arguments as recorded values, and these in the order of unpack."""
        arrays: list[Any] = []
        numbers: list[Any] = []

        def leaf(x: Any) -> Any:
            if isinstance(x, (np.ndarray, np.generic)):
                arrays.append(recorder.input(np.asarray(x)))
                arrays[-1].scalar = isinstance(x, np.generic)
                return arrays[-1]
            if type(x) in (int, float):
                numbers.append(recorder.number(x))
                return numbers[-1]
            return x

        return map_leaves(leaf, tuple(arguments)), arrays, numbers


def own(arrays: list[Any], donated: Sequence[int]) -> list[Any]:
    """The arrays, with copies of donated ones that cannot be overwritten: views, read-only ones, one given twice."""
    ids = {id(arrays[k]) for k in donated}
    others = [x for k, x in enumerate(arrays) if k not in donated]
    plain = (
        len(ids) == len(donated)
        and all(arrays[k].base is None and arrays[k].flags.writeable for k in donated)
        and all(id(x) not in ids and x.base is None for x in others)
    )
    if plain:
        return arrays
    result = list(arrays)
    for k in donated:
        x = arrays[k]
        shared = any(np.may_share_memory(x, other) for j, other in enumerate(arrays) if j != k)
        if x.base is not None or not x.flags.writeable or shared:
            result[k] = x.copy()
    return result



