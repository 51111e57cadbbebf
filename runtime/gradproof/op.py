"""The op table: one entry per op, and under it one plain function per direction and input.

Notation. `dx` is a tangent of x, `g` the cotangent of the output, `gx` the cotangent of x. A JVP is linear in the
tangents, so the JVP of an op is the sum of its JVPs per input; a VJP has one function per input anyway.

An op is written as

    exp_op = Op("exp", inputs=("x",))

    @exp_op.shape_rule      (*shapes, **attributes) -> shape of the output, pure integer arithmetic
    @exp_op.forward         (inputs, **attributes) -> (out, residual)
    @exp_op.jvp_of("x")     (dx, inputs, out, residual, **attributes) -> its share of the output's tangent
    @exp_op.vjp_of("x")     (g, inputs, out, residual, **attributes) -> gx
    @exp_op.check           (inputs, **attributes) -> None: raises where a value without gradient (a label) is unfit
    @exp_op.recall          (*inputs, **attributes) -> out, where it is not public(*inputs, **attributes)
    @exp_op.public          the function that users call; closes the op and enters it into OPS

and is complete or does not exist: `public` refuses an op with a rule missing, so that the import fails.

What enters the table is normalised (equal shapes, non-negative axes, one dtype); the public functions see to that.
No rule writes to an argument. A rule may return an argument, or a view of one, as cotangent or tangent (the VJP of
add is g): those are immutable values until the transforms hand them to the caller.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from numpy.typing import NDArray

from .errors import GraphError, describe

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
Residual: TypeAlias = tuple[Array, ...] | None
Function = TypeVar("Function", bound=Callable[..., Any])

OPS: dict[str, Op] = {}


class PlanValue:
    """An array or number of a function that is being compiled: see plan/. It passes for an array or a number."""

    __slots__ = ()

    def as_array(self, dtype: Any = None) -> Any:
        raise NotImplementedError

    def as_float(self) -> Any:
        raise NotImplementedError


class CannotRecord(GraphError):
    """Raised where a function that is being compiled needs what a plan does not have, such as the value of an element.
    A rule of an op can be recorded as a whole then."""

    def __init__(self, text: str, recorder: Any = None) -> None:
        super().__init__(text)
        self.recorder = recorder


def run_rule(rule: Callable[..., Any], *arguments: Any, **attributes: Any) -> Any:
    try:
        return rule(*arguments, **attributes)
    except CannotRecord as refusal:
        return refusal.recorder.whole(rule, arguments, attributes)


class Op:
    """One op: `shape`, `evaluate`, `jvp` and `vjp` are the entry that every transform, and the prover, goes through.

    inputs: the parameter names of the arrays. optional: those that may be left out (only at the end).
    differentiable: those that have rules, by default all. variadic: the one name stands for any number of arrays, and
    the rules take and give tuples.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        *,
        differentiable: tuple[str, ...] | None = None,
        optional: tuple[str, ...] = (),
        variadic: bool = False,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.differentiable = inputs if differentiable is None else differentiable
        self.optional = optional
        self.variadic = variadic
        self.function: Callable[..., Any]
        self.rules: dict[str, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"Op({self.name!r}, inputs={self.inputs!r})"

    # The table entry.

    def shape(self, *input_shapes: Shape, **attributes: Any) -> Shape:
        """The output's shape; raises ShapeError or DomainError where the op is not defined."""
        result: Shape = self.rules["shape"](*input_shapes, **attributes)
        return result

    def evaluate(self, inputs: tuple[Array, ...], **attributes: Any) -> tuple[Array, Residual]:
        """The output, and what the rules want to keep of the computation."""
        result: tuple[Array, Residual] = run_rule(self.rules["forward"], inputs, **attributes)
        return result

    def jvp(
        self,
        tangents: tuple[Array | None, ...],
        inputs: tuple[Array, ...],
        out: Array,
        residual: Residual,
        **attributes: Any,
    ) -> Array | None:
        """The output's tangent; None stands for a tangent that is zero."""
        if self.variadic:
            if all(tangent is None for tangent in tangents):
                return None
            joint: Array = run_rule(self.rules[f"jvp {self.inputs[0]}"], tangents, inputs, out, residual, **attributes)
            return joint
        total: Array | None = None
        for name, tangent in zip(self.inputs, tangents, strict=False):
            if tangent is not None and name in self.differentiable:
                term = run_rule(self.rules[f"jvp {name}"], tangent, inputs, out, residual, **attributes)
                total = term if total is None else total + term
        return total

    def vjp(
        self,
        g: Array,
        inputs: tuple[Array, ...],
        out: Array,
        residual: Residual,
        wanted: tuple[bool, ...],
        **attributes: Any,
    ) -> tuple[Array | None, ...]:
        """The cotangent of each input that is wanted and differentiable, None for the others."""
        if self.variadic:
            joint = run_rule(self.rules[f"vjp {self.inputs[0]}"], g, inputs, out, residual, **attributes)
            return tuple(gx if want else None for gx, want in zip(joint, wanted, strict=True))
        if "vjp shared" in self.rules and any(wanted):
            residual = run_rule(self.rules["vjp shared"], g, inputs, out, residual, **attributes)
        found: list[Array | None] = []  # from the last to the first, which is what the reverse pass goes on with
        for name, want in reversed(list(zip(self.inputs, wanted, strict=False))):
            rule = self.rules[f"vjp {name}"] if want and name in self.differentiable else None
            found.append(None if rule is None else run_rule(rule, g, inputs, out, residual, **attributes))
        return tuple(reversed(found))

    # What graphs need to know of an op.

    def attributes(self) -> frozenset[str]:
        """The names of the attributes of the table entry."""
        rules = (inspect.signature(self.rules[key]) for key in ("shape", "forward"))
        parameters = (parameter for rule in rules for parameter in rule.parameters.values())
        return frozenset(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)

    def takes(self, count: int) -> bool:
        """Whether it can have this number of inputs."""
        return count >= 1 if self.variadic else len(self.inputs) - len(self.optional) <= count <= len(self.inputs)

    def is_differentiable(self, position: int) -> bool:
        return self.variadic or self.inputs[position] in self.differentiable

    def check_values(self, inputs: tuple[Array, ...], **attributes: Any) -> None:
        """Raises where a value without gradient, such as a label, is unfit. Rules are not run before."""
        if "check" in self.rules:
            run_rule(self.rules["check"], inputs, **attributes)

    def call(self, inputs: tuple[Any, ...], **attributes: Any) -> Any:
        """The public function with the inputs and attributes of a table entry: what records just that entry."""
        if "recall" in self.rules:
            return self.rules["recall"](*inputs, **attributes)
        if self.variadic:
            return self.function(inputs, **attributes)
        return self.function(**dict(zip(self.inputs, inputs, strict=False)), **attributes)

    # How an op is written.

    def shape_rule(self, rule: Function) -> Function:
        return self._add("shape", rule)

    def forward(self, rule: Function) -> Function:
        return self._add("forward", rule)

    def check(self, rule: Function) -> Function:
        return self._add("check", rule)

    def recall(self, rule: Function) -> Function:
        return self._add("recall", rule)

    def jvp_of(self, name: str) -> Callable[[Function], Function]:
        return lambda rule: self._add(f"jvp {name}", rule)

    def vjp_of(self, name: str) -> Callable[[Function], Function]:
        return lambda rule: self._add(f"vjp {name}", rule)

    def vjp_shared(self, rule: Function) -> Function:
        """What the VJP rules have in common, computed once: they get it in the place of the residual."""
        return self._add("vjp shared", rule)

    def public(self, function: Function) -> Function:
        """Close the op with the function that users call, and enter it into OPS."""
        needed = ["shape", "forward", *(f"{way} {name}" for name in self.differentiable for way in ("jvp", "vjp"))]
        if missing := [key for key in needed if key not in self.rules]:
            raise GraphError(
                describe(self.name, "the op has rules missing", "write them above its public function", missing=missing)
            )
        if self.name in OPS:
            raise GraphError(describe(self.name, "an op of this name exists", "choose another name"))
        self.function = function
        OPS[self.name] = self
        return function

    def _add(self, key: str, rule: Function) -> Function:
        rules = {f"{way} {name}" for name in self.differentiable for way in ("jvp", "vjp")}
        known = {"shape", "forward", "check", "recall", "vjp shared", *rules}
        if key not in known:
            raise GraphError(
                describe(self.name, f"there is no place for the rule '{key}'", "check the name", places=sorted(known))
            )
        if key in self.rules:
            raise GraphError(describe(self.name, f"the rule '{key}' is given twice", "delete one"))
        self.rules[key] = rule
        return rule
