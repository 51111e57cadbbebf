"""Planted wrong steps of the runtime, of the tape, of its lowering and of optimizers, that `lowering` must refute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

import gradproof
from gradproof import graph, optimizers, tape
from gradproof.compiled import CompiledTape
from gradproof.tape import Cotangents, Node, as_array, fitted

from ..obligations import Obligation, Outcome, Verdict
from . import induction, steps


@dataclass(frozen=True)
class WrongStep:
    """`wrong` in place of the method or function `method` of `owner`. Each obligation of `by` must refute it."""

    name: str
    owner: Any
    method: str
    wrong: Callable[..., Any]
    by: tuple[str, ...]


WRONG: list[WrongStep] = []


def plant(name: str, owner: Any, method: str, *by: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(wrong: Callable[..., Any]) -> Callable[..., Any]:
        WRONG.append(WrongStep(name, owner, method, wrong, by))
        return wrong

    return register


ADD = ("induction-accumulate", "induction-adjoint", "induction-backprop", "loops-whole")
PULL = ("induction-adjoint", "induction-backprop", "loops-whole")


@plant("the-last-arrival-wins", Cotangents, "add", *ADD)
def replaces(self: Cotangents, node: int, cotangent: Any) -> None:
    self.sums[node] = cotangent


@plant("the-first-arrival-wins", Cotangents, "add", *ADD)
def keeps(self: Cotangents, node: int, cotangent: Any) -> None:
    if self.sums[node] is None:
        self.sums[node] = cotangent


@plant("adds-into-what-arrived-first", Cotangents, "add", *ADD)
def in_place(self: Cotangents, node: int, cotangent: Any) -> None:
    """The array may be somebody else's: the cotangent of another node, or a seed."""
    present = self.sums[node]
    if present is None:
        self.sums[node] = cotangent
    else:
        np.add(present, cotangent, out=present)


@plant("owns-what-arrived", Cotangents, "add", "induction-accumulate", "induction-adjoint", "induction-backprop")
def owns(self: Cotangents, node: int, cotangent: Any) -> None:
    cotangent = fitted(cotangent, self.nodes[node].out)
    present = self.sums[node]
    self.sums[node] = cotangent if present is None else as_array(present + cotangent)
    self.owned.add(node)


@plant("subtracts", Cotangents, "add", *ADD)
def subtracts(self: Cotangents, node: int, cotangent: Any) -> None:
    present = self.sums[node]
    self.sums[node] = cotangent if present is None else as_array(present - cotangent)


def shares_of(node: Node, g: Any) -> Any:
    assert node.op is not None
    wanted = tuple(parent is not None for parent in node.parents)
    return node.op.vjp(g, node.inputs, node.out, node.residual, wanted, **node.attributes)


@plant("a-repeated-parent-once", Node, "pull_back", *PULL)
def once(self: Node, g: Any, cotangents: Cotangents) -> None:
    if self.op is not None and g is not None:
        for parent, share in dict(zip(self.parents, shares_of(self, g), strict=True)).items():
            if parent is not None and share is not None:
                cotangents.add(parent, share)


@plant("the-first-parent-only", Node, "pull_back", *PULL)
def first(self: Node, g: Any, cotangents: Cotangents) -> None:
    if self.op is not None and g is not None:
        for parent, share in zip(self.parents[:1], shares_of(self, g)[:1], strict=True):
            if parent is not None and share is not None:
                cotangents.add(parent, share)


@plant("parents-in-reverse", Node, "pull_back", *PULL)
def reversed_parents(self: Node, g: Any, cotangents: Cotangents) -> None:
    if self.op is not None and g is not None:
        for parent, share in zip(self.parents, reversed(shares_of(self, g)), strict=True):
            if parent is not None and share is not None:
                cotangents.add(parent, share)


@plant("passes-g-on-unchanged", Node, "pull_back", *PULL)
def straight_through(self: Node, g: Any, cotangents: Cotangents) -> None:
    if self.op is not None and g is not None:
        for parent in self.parents:
            if parent is not None:
                cotangents.add(parent, g)


@plant("the-tangent-of-the-first-parent", Node, "push_forward", "induction-forward", "loops-whole")
def first_tangent(self: Node, tangents: Any) -> Any:
    if self.op is None:
        return None
    arriving = tuple(None if p is None or k else tangents[p] for k, p in enumerate(self.parents))
    return self.op.jvp(arriving, self.inputs, self.out, self.residual, **self.attributes)


@plant("a-gradient-for-constants", CompiledTape, "add_leaf", "induction-values", "loops-whole")
def constants_move(self: CompiledTape, value: Any, requires_grad: bool) -> None:
    self.append(Node(value))
    self.differentiable.append(True)


@plant("values-of-the-parents-in-reverse", CompiledTape, "lowered", "induction-values", "loops-whole")
def values_reversed(self: CompiledTape, node: Any) -> Any:
    op = vars(graph)["OPS"][node.op]  # read now: it is replaced by ops without a meaning
    inputs = tuple(self.nodes[parent].out for parent in reversed(node.parents))
    out, residual = tape.evaluated(op, inputs, node.attributes)
    parents = tuple(parent if self.differentiable[parent] else None for parent in node.parents)
    return Node(out, op, parents, inputs, residual, node.attributes), any(parent is not None for parent in parents)


@plant("sgd-goes-uphill", optimizers, "sgd_update", "step-sgd", "step-sgd-momentum")
def uphill(parameter: Any, gradient: Any, learning_rate: Any) -> Any:
    return gradproof.sgd_update(parameter, -gradient, learning_rate)


@plant("momentum-forgets", optimizers, "momentum_update", "step-sgd-momentum", "step-sgd-nesterov")
def forgets(velocity: Any, gradient: Any, momentum: Any, dampening: Any) -> Any:
    return gradient


@plant("adam-without-bias-correction", optimizers, "adam_update", "step-adam", "step-adamw")
def uncorrected(p: Any, m: Any, v: Any, rate: Any, correction1: Any, correction2: Any, eps: Any) -> Any:
    return gradproof.adam_update(p, m, v, rate, 1.0, 1.0, eps)


@plant("adamw-decays-through-the-moments", optimizers, "adam_step", "step-adamw")
def coupled(
    op: str, params: Any, gradients: Any, state: Any, rate: Any, betas: Any, eps: Any, decay: Any, decoupled: bool
) -> Any:
    return ADAM_STEP(op, params, gradients, state, rate, betas, eps, decay, decoupled=False)


ADAM_STEP = optimizers.adam_step


def check(fault: WrongStep) -> Outcome:
    told = ""
    checks = {o.case: o.check for module in (induction, steps) for o in module.obligations()}
    with patch.object(fault.owner, fault.method, fault.wrong):
        for name in fault.by:
            outcome = checks[name]()
            if outcome.verdict is not Verdict.REFUTED:
                text = f"MISSED  refutes[{fault.name}]\n\n  lowering[{name}] says {outcome.verdict}"
                return Outcome(Verdict.MISSED, f"{text}\n\n{outcome.message}")
            told = told or outcome.message.splitlines()[2].strip()
    return Outcome(Verdict.CAUGHT, told, {"by": "lowering"})


def obligations() -> Iterator[Obligation]:
    for fault in WRONG:
        claim = f"this wrong step is refuted by {', '.join(f'lowering[{name}]' for name in fault.by)}"
        yield Obligation("refutes", "", fault.name, claim, "a planted fault", partial(check, fault))
