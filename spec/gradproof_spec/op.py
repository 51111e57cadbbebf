"""TRUSTED. An op of the specification: a signature, and plain functions of named indices for forward, JVP and VJP.

    matmul = Op("matmul", "a[...,N,K] b[...,K,M] -> c[...,N,M]")

    @matmul.forward
    def matmul_c(a, b, batch, n, m, size):
        return Sum(a[batch, n, k] * b[batch, k, m] for k in size.K)

A rule's parameters say what it gets: tensors by name, `dx` the tangent of x, `g` the cotangent of the output, an index
by the lower-case letter of its axis, `batch` the tuple of batch indices, `size` the extents and attributes, a real
attribute (eps) by its name. Extents in brackets are the op's own symbols. A tensor is differentiable unless it is
`name:int[...]` (its elements are indices), `name:bool[...]` (conditions) or `name:real[...]` (reals without gradient).
An op has cases (0, 1 or 2 batch axes; 1, 2 or 3 inputs): each is proved for all values of its extents and attributes.
"""
from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from .terms import (
    TRUE,
    ZERO,
    Condition,
    ConditionTensor,
    Extent,
    Index,
    IndexTensor,
    Scalar,
    Tensor,
    access,
    apply,
    atom_conditions,
    equal,
    flatten_indices,
    in_range,
    subterms,
    to_index,
    to_scalar,
    variable,
)

Rule = Callable[..., Scalar]
OPS: dict[str, Op] = {}
BATCH_RANKS = (0, 1, 2)
_TENSOR = r"\w+(:int|:bool|:real)?\[((\.\.\.|[A-Z][A-Z0-9]*)(,[A-Z][A-Z0-9]*)*)?\]"
SIGNATURE = re.compile(rf"({_TENSOR}\s+)*->\s*{_TENSOR}")


class SpecificationError(ValueError):
    """A specification that does not say what it must: the message names op, rule and remedy."""


@dataclass(frozen=True)
class TensorType:
    name: str
    axes: tuple[str, ...]
    kind: str = ""  # int, bool, real; differentiable where empty

    @property
    def integer(self) -> bool:
        """Is it read as an index or a condition, not as a real number?"""
        return self.kind in ("int", "bool")


@dataclass(frozen=True)
class Selection:
    """The first (row-major) best of finitely many candidates: an argmax with the tie rule of NumPy."""

    name: str
    candidates: tuple[str, ...]
    rule: Callable[..., tuple[Condition, Scalar]]
    exists: Callable[..., Sequence[Sequence[Index | int]]]

    @property
    def arguments(self) -> list[str]:
        return [p for p in inspect.signature(self.rule).parameters if p not in self.candidates]

    def cell(self, arguments: Sequence[Index]) -> list[Index]:
        """The selected candidate, as indices."""
        return [apply(f"{self.name}.{c}", *arguments) for c in self.candidates]

    def asked(self, t: Scalar) -> set[tuple[Index, ...]]:
        """The arguments for which t asks for the selected candidate."""
        functions = {f"{self.name}.{c}" for c in self.candidates}
        return {x.args[1:] for x in subterms(t) if x.op == "apply" and x.args[0] in functions}


@dataclass(frozen=True)
class IndexFunctions:
    """Index functions given by axioms (for the proofs) and by a concrete meaning (for evaluation).

    names    function -> the tensor whose elements it points at: its value is a tuple of that tensor's indices
    axioms   what the proofs may use of them; `lemma` names the obligation that proves it of the meaning
    """

    names: Mapping[str, str]
    axioms: Callable[[Case], Mapping[str, Callable[..., Sequence[Condition]]]]
    meaning: Callable[[Case, Mapping[str, int]], Mapping[str, Callable[..., int]]]
    lemma: str


def positive(value: Scalar) -> Condition:
    """For `elements=`: every element is > 0."""
    return value > 0


def nonzero(value: Scalar) -> Condition:
    """For `elements=`: no element is 0."""
    return ~equal(value, ZERO)


class Op:
    """
    attributes   integers, by name
    reals        real attributes, by name
    extents      output axes whose extent is computed
    domain       conditions on extents and attributes
    elements     tensor or real attribute -> the condition that each of its elements satisfies (it may take size too)
    kinks        boundary of a guard in the forward -> the weight of the side where the guard holds
    kink_domain  further conditions under which the kinks are claimed to be Clarke subgradients
    ties         slopes where several candidates of a selection are best: "first" the first one's, "shared" their mean
    """

    def __init__(self, name: str, signature: str | Mapping[str, str], *, attributes: str = "", reals: str = "",
                 elements: Mapping[str, Callable[..., Condition]] | None = None,
                 extents: Mapping[str, Callable[[Size], Index]] | None = None,
                 domain: Callable[[Size], Sequence[Condition]] | None = None,
                 kinks: Mapping[str, Fraction | int] | None = None,
                 kink_domain: Callable[[Size], Sequence[Condition]] | None = None, ties: str = "first",
                 variadic: str | None = None,
                 index_functions: IndexFunctions | None = None, source: str = "") -> None:
        self.name = name
        self.signatures = {"": signature} if isinstance(signature, str) else dict(signature)
        self.attributes = tuple(attributes.split())
        self.reals = tuple(reals.split())
        self.elements = dict(elements or {})
        self.extents = dict(extents or {})
        self.domain = domain
        self.kinks = {k: Fraction(v) for k, v in (kinks or {}).items()}
        if ties not in ("first", "shared"):
            raise SpecificationError(f"op {name}: ties={ties!r}: write 'first' or 'shared'")
        self.kink_domain = kink_domain
        self.ties = ties
        self.variadic = variadic
        self.index_functions = index_functions
        self.source = source
        self.selections: dict[str, Selection] = {}
        self.vjps: dict[str, Rule] = {}
        for form in self.signatures.values():
            self._check_names(form)
        self.forward_rule: Rule | None = None
        self.jvp_rule: Rule | None = None

    def _check_names(self, signature: str) -> None:
        """Every name means one thing: tensors, axes, their indices and attributes share one namespace."""
        def refuse(what: str, remedy: str) -> None:
            raise SpecificationError(f"op {self.name}: {what} in {signature!r}: {remedy}")

        if not SIGNATURE.fullmatch(signature.strip()):
            refuse("something is no tensor like x[N,M] or ids:int[K]", "write 'x[N] y[N,M] -> z[M]', axes in capitals")
        batch = max(BATCH_RANKS) if "..." in signature else 0
        inputs, output = parse_signature(signature, batch)
        names = [t.name for t in (*inputs, output)]
        if len(set(names)) < len(names) or "g" in names:
            refuse("a tensor is named twice, or g", "give each its own name; g is the output's cotangent")
        for t in (*inputs, output):
            if len(set(t.axes)) < len(t.axes):
                refuse(f"{t.name} has one axis twice", "use two names and say in the domain that they are equal")
        axes = {a for t in (*inputs, output) for a in t.axes}
        taken = {"g", "size", "case", "batch", "index", "which"}
        tangents = {"d" + t.name for t in inputs if not t.kind}
        for name in (*names, *self.attributes, *self.reals, *self.selections):
            if name in taken or name in tangents:
                refuse(f"{name!r} already means something to the rules", "rename it")
        if set(self.attributes) & set(self.reals):
            refuse("an attribute is both an integer and a real", "name it once")
        for name in self.elements:
            if name not in (*names, *self.reals):
                refuse(f"elements= names {name!r}, which is no tensor and no real attribute", "name one of them")
        for name in (*self.attributes, *self.reals):
            if name in axes or name in {a.lower() for a in axes} or name in names or name.startswith("i_"):
                refuse(f"the attribute {name!r} is also an axis, an index or a tensor", "rename it")

    # ------------------------------------------------------------ registration
    def forward(self, rule: Rule) -> Rule:
        self.forward_rule = rule
        return rule

    def jvp(self, rule: Rule) -> Rule:
        self.jvp_rule = rule
        return rule

    def vjp(self, name: str) -> Callable[[Rule], Rule]:
        def register(rule: Rule) -> Rule:
            self.vjps[name] = rule
            return rule

        return register

    def first_argmax(self, name: str, candidates: str, exists: Callable[..., Sequence[Sequence[Index | int]]],
                     ) -> Callable[[Callable[..., tuple[Condition, Scalar]]], Callable[..., tuple[Condition, Scalar]]]:
        """Declare a selection: the rule gives, for a candidate, whether it is real and its value."""
        def register(rule: Callable[..., tuple[Condition, Scalar]]) -> Callable[..., tuple[Condition, Scalar]]:
            self.selections[name] = Selection(name, tuple(candidates.split()), rule, exists)
            return rule

        return register

    def register(self) -> Op:
        """Enter the op into OPS. An op without its JVP or without the VJP of a differentiable input is refused."""
        missing = [what for what, rule in (("forward", self.forward_rule), ("jvp", self.jvp_rule)) if rule is None]
        case = self.cases[0]
        expected = [self.variadic] if self.variadic else list(case.differentiable)
        missing += [f'vjp("{n}")' for n in expected if n not in self.vjps]
        if missing:
            raise SpecificationError(f"op {self.name}: missing {', '.join(missing)}: "
                                     f"every rule is needed to register an op")
        if self.name in OPS:
            raise SpecificationError(f"op {self.name} is registered twice")
        OPS[self.name] = self
        return self

    # ------------------------------------------------------------ cases
    @property
    def cases(self) -> list[Case]:
        found = []
        for label, signature in self.signatures.items():
            for batch in BATCH_RANKS if "..." in signature else (0,):
                found.append(Case(self, label, batch, *parse_signature(signature, batch)))
        return found

    def over(self) -> str:
        """What the proofs of this op range over, in words."""
        parts = []
        if any("..." in s for s in self.signatures.values()):
            parts.append("0, 1 and 2 batch axes")
        if len(self.signatures) > 1:
            parts.append(f"{len(self.signatures)} forms: {', '.join(self.signatures)}")
        domain = " in the domain" if self.domain else ""
        return f"all extents and attributes{domain}" + "".join(f"; {p}" for p in parts)


def parse_signature(text: str, batch: int) -> tuple[tuple[TensorType, ...], TensorType]:
    def tensor(name: str, kind: str, axes: str) -> TensorType:
        names: list[str] = []
        for axis in filter(None, axes.split(",")):
            names += [f"B{i + 1}" for i in range(batch)] if axis == "..." else [axis]
        return TensorType(name, tuple(names), kind)

    left, right = text.split("->")
    pattern = re.compile(r"(\w+)(?::(int|bool|real))?\[([^\]]*)\]")
    inputs = tuple(tensor(*m) for m in pattern.findall(left.replace(" ", "  ")))
    (output,) = (tensor(*m) for m in pattern.findall(right))
    return inputs, output


class Size:
    """Extents and attributes by name: `size.K` is an extent to sum over, `size.stride` an integer."""

    def __init__(self, case: Case, values: Mapping[str, int] | None = None) -> None:
        self._case, self._values = case, values or {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "case":
            return self._case
        if name == "batch":
            return Extents([getattr(self, b) for b in self._case.batch_axes])
        if name in self._case.op.reals:
            return access(name)
        if name in self._case.op.extents and not self._case.named_extents:
            return Extent(name, self._case.op.extents[name](self))
        known = [*self._case.free_axes, *self._case.op.attributes]
        if name not in known and name not in self._case.op.extents:
            raise SpecificationError(f"op {self._case.op.name}: size.{name} is neither an extent nor an attribute; "
                                     f"known: {', '.join(known)}")
        return Extent(name, to_index(self._values[name]) if name in self._values else variable(name))

    def axes(self, tensor: str) -> Extents:
        """All extents of a tensor: `for i in size.axes("x")` sums over its elements, i the tuple of indices."""
        types = {t.name: t for t in self._case.inputs}
        return Extents([getattr(self, a) for a in types.get(tensor, self._case.output).axes])


class Extents(list[Extent]):
    """Several extents: iterating them inside Sum(...) yields the tuple of their indices."""

    def __iter__(self) -> Iterator[Any]:
        extents = [self[i] for i in range(len(self))]
        yield tuple(next(iter(e)) for e in extents)


@dataclass(frozen=True)
class Case:
    """One form of an op: which inputs, how many batch axes. `named_extents` keeps derived extents as symbols."""

    op: Op
    label: str
    batch: int
    inputs: tuple[TensorType, ...]
    output: TensorType
    named_extents: bool = False

    @property
    def id(self) -> str:
        parts = [p for p in (self.label.replace(" ", "-"), f"batch{self.batch}" if self.batch else "") if p]
        return "-".join(parts)

    @property
    def batch_axes(self) -> list[str]:
        return [f"B{i + 1}" for i in range(self.batch)]

    @cached_property
    def free_axes(self) -> list[str]:
        """Axes whose extents are not computed."""
        axes = dict.fromkeys(a for t in (*self.inputs, self.output) for a in t.axes if a not in self.op.extents)
        return list(axes)

    @cached_property
    def symbols(self) -> list[str]:
        """Extents and attributes that are free: everything else is computed from them.

        Of an op with several forms only the attributes that this one reads.
        """
        attributes = self.op.attributes
        if attributes and len(self.op.signatures) > 1:
            size, indices = self.size(), self.indices(self.output.name)
            terms = [*(self.op.domain(size) if self.op.domain else ()), self.forward(indices), *self.shape("g")]
            read = {x.args[0] for t in terms for x in subterms(t) if x.op == "variable"}
            attributes = tuple(a for a in attributes if a in read)
        return [*self.free_axes, *attributes]

    @property
    def differentiable(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.inputs if not t.kind)

    def size(self, values: Mapping[str, int] | None = None) -> Size:
        return Size(self, values)

    @cached_property
    def _types(self) -> dict[str, TensorType]:
        return {t.name: t for t in self.inputs} | {"d" + t.name: t for t in self.inputs}

    @cached_property
    def _shapes(self) -> dict[str, tuple[Index, ...]]:
        size = self.size()
        types = {**self._types, "g": self.output}
        return {name: tuple(getattr(size, a) for a in t.axes) for name, t in types.items()}

    def shape(self, name: str) -> tuple[Index, ...]:
        """Extents of an input, of a tangent, or of the output (and its cotangent g)."""
        return self._shapes.get(name, self._shapes["g"])

    def index_names(self, name: str) -> tuple[str, ...]:
        return tuple(a.lower() for a in self._types.get(name, self.output).axes)

    def indices(self, name: str, prefix: str = "") -> tuple[Index, ...]:
        return tuple(variable(prefix + n) for n in self.index_names(name))

    def hypotheses(self) -> tuple[Condition, ...]:
        """The domain: extents >= 0 and what the op declares."""
        size = self.size()
        conditions = [getattr(size, a) >= 0 for a in self.free_axes]
        conditions += list(self.op.domain(size)) if self.op.domain else []
        return tuple(c for c in conditions if c != TRUE)

    def shape_hypotheses(self) -> tuple[Condition, ...]:
        """Those of them that speak of integers only."""
        return tuple(c for c in self.hypotheses() if not atom_conditions(c))

    def value_hypotheses(self) -> tuple[Condition, ...]:
        """Those of them that speak of real attributes."""
        return tuple(c for c in self.hypotheses() if atom_conditions(c))

    def element_condition(self, name: str, value: Scalar) -> Condition:
        """What the domain says of an element of this tensor, or of this real attribute, if it has that value."""
        condition = self.op.elements.get(name)
        if condition is None:
            return TRUE
        return condition(value, self.size()) if len(inspect.signature(condition).parameters) > 1 else condition(value)

    def element_hypotheses(self, prefix: str = "") -> tuple[Condition, ...]:
        """The same of one element of each tensor and attribute that has a condition."""
        found: list[Condition] = []
        for n in self.op.elements:
            i = () if n in self.op.reals else self.indices(n, prefix)
            found += [*(self.in_bounds(n, i) if i else ()), self.element_condition(n, access(n, *i))]
        return tuple(found)

    def known(self, element: Scalar) -> Condition:
        """The same of an access term, where it is an element of its tensor."""
        name, *indices = element.args
        holds = self.element_condition(name, element)
        if holds != TRUE and name not in self.op.reals:
            for i, n in zip(indices, self.shape(name), strict=False):
                holds = ~in_range(i, n) | holds
        return holds

    def in_bounds(self, name: str, indices: Sequence[Index]) -> tuple[Condition, ...]:
        return tuple(in_range(i, n) for i, n in zip(indices, self.shape(name), strict=True))

    @cached_property
    def positive(self) -> frozenset[str]:
        """Tensors and real attributes whose elements are > 0 by their condition."""
        return frozenset(n for n in self.op.elements if self.element_condition(n, access(n)) == (access(n) > 0))

    # ------------------------------------------------------------ rules as terms
    def forward(self, indices: Sequence[Index | int]) -> Scalar:
        assert self.op.forward_rule is not None
        return self._scalar(self.op.forward_rule, self.output, indices)

    def jvp(self, indices: Sequence[Index | int]) -> Scalar:
        assert self.op.jvp_rule is not None
        return self._scalar(self.op.jvp_rule, self.output, indices)

    def vjp(self, name: str, indices: Sequence[Index | int]) -> Scalar:
        tensor = next(t for t in self.inputs if t.name == name)
        if self.op.variadic:
            which = [t.name for t in self.inputs].index(name)
            return self._scalar(self.op.vjps[self.op.variadic], tensor, indices, which=which)
        return self._scalar(self.op.vjps[name], tensor, indices)

    def _scalar(self, rule: Rule, tensor: TensorType, indices: Sequence[Index | int], **extra: Any) -> Scalar:
        value: Scalar = self.call(rule, tensor, indices, **extra)
        return value

    def call(self, rule: Callable[..., Any], tensor: TensorType | None, indices: Sequence[Index | int],
             **extra: Any) -> Any:
        """Call a rule with what its parameters name."""
        available = dict(extra)
        if tensor is not None:
            names = [a.lower() for a in tensor.axes]
            available |= dict(zip(names, map(to_index, indices), strict=True))
            available["batch"] = tuple(available[b.lower()] for b in self.batch_axes if b.lower() in available)
            available["index"] = tuple(map(to_index, indices))
        arguments = []
        for name in inspect.signature(rule).parameters:
            arguments.append(available[name] if name in available else self._argument(rule, name))
        value = rule(*arguments)
        return to_scalar(value) if isinstance(value, (Index, int, Fraction)) else value

    def _argument(self, rule: Callable[..., Any], name: str) -> Any:
        types = {t.name: t for t in self.inputs}
        if name == "size":
            return self.size()
        if name == "g":
            return Tensor("g")
        if name == "case":
            return self
        if self.op.variadic and name in (self.op.variadic, "d" + self.op.variadic):
            prefix = "d" if name != self.op.variadic else ""
            return [Tensor(prefix + t.name) for t in self.inputs]
        if name in types:
            return {"int": IndexTensor, "bool": ConditionTensor}.get(types[name].kind, Tensor)(name)
        if name.startswith("d") and name[1:] in self.differentiable:
            return Tensor(name)
        if name in self.op.reals:
            return access(name)
        if name in self.op.selections:
            selection = self.op.selections[name]
            return lambda *args: tuple(apply(f"{name}.{c}", *flatten_indices(args)) for c in selection.candidates)
        if self.op.index_functions and name in self.op.index_functions.names:
            rank = len(self.shape(self.op.index_functions.names[name]))
            return lambda *args: tuple(apply(f"{name}.{k}", *flatten_indices(args)) for k in range(rank))
        raise SpecificationError(f"op {self.op.name}: {getattr(rule, '__name__', 'a rule')} has a parameter {name!r} "
                                 f"that names no tensor, index or attribute of this rule")

    # ------------------------------------------------------------ selections
    def selection_axioms(self) -> dict[str, Callable[..., Sequence[Condition]]]:
        """For each selection function: where its arguments are in range, its value is a real candidate."""
        axioms: dict[str, Callable[..., Sequence[Condition]]] = {}
        for selection in self.op.selections.values():
            def chosen_is_real(*arguments: Index, selection: Selection = selection) -> Sequence[Condition]:
                return [~self.selection_domain(selection, arguments) | self.selected_is_real(selection, arguments)]

            for c in selection.candidates:
                axioms[f"{selection.name}.{c}"] = chosen_is_real
        if self.op.index_functions:
            axioms |= self.op.index_functions.axioms(self)
        return axioms

    def selection_arguments(self, selection: Selection) -> list[str]:
        """Names of the index arguments, batch expanded."""
        names: list[str] = []
        for p in selection.arguments:
            if p == "batch":
                names += [b.lower() for b in self.batch_axes]
            elif p != "size" and p not in {t.name for t in self.inputs} and p not in self.op.reals:
                names.append(p)
        return names

    def selection_domain(self, selection: Selection, arguments: Sequence[Index]) -> Condition:
        size, c = self.size(), TRUE
        for name, i in zip(self.selection_arguments(selection), arguments, strict=True):
            c = c & in_range(i, getattr(size, name.upper()))
        return c

    def candidate(self, selection: Selection, arguments: Sequence[Index | int],
                  cell: Sequence[Index | int]) -> tuple[Condition, Scalar]:
        values: dict[str, Any] = dict(zip(self.selection_arguments(selection), map(to_index, arguments), strict=True))
        values["batch"] = tuple(values[b.lower()] for b in self.batch_axes if b.lower() in values)
        values |= dict(zip(selection.candidates, map(to_index, cell), strict=True))
        return self.call(selection.rule, None, (), **values)  # type: ignore[no-any-return]

    def cell_extents(self, selection: Selection) -> list[Index]:
        size = self.size()
        return [getattr(size, c.upper()) for c in selection.candidates]

    def cell_in_range(self, selection: Selection, cell: Sequence[Index | int]) -> tuple[Condition, ...]:
        return tuple(in_range(i, n) for i, n in zip(cell, self.cell_extents(selection), strict=True))

    def selected_is_real(self, selection: Selection, arguments: Sequence[Index]) -> Condition:
        cell = selection.cell(arguments)
        real, _ = self.candidate(selection, arguments, cell)
        for inside in self.cell_in_range(selection, cell):
            real = inside & real
        return real
