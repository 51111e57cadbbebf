"""TRUSTED. The loops over a graph, for every graph: by induction over nodes, and within a node over its parents.

The steps are the shipped functions, Cotangents.add, Node.pull_back, Node.push_forward, CompiledTape.add_node, Op.jvp
and Op.vjp, run on symbols with uninterpreted rules (structure.py says what a tensor is there, and defines t and c).

    adjoint    Σ_leaves <t_l, c_l> = Σ_i <t_i, s_i>, if <J_ik(t), c> = <t, V_ik(c)> for every node i and input k
               invariant  Σ_{i<m} <t_i, c_i> + Σ_{leaves i>=m} <t_i, c_i> = Σ_i <t_i, s_i>, from m = n down to 0
    backprop   c_i = s_i + Σ_{j, k: p_jk = i} V_jk(c_j)
               invariant  c_i = s_i + Σ_{j>=m, k: p_jk = i} V_jk(c_j) for i < m, and c_i is final for i >= m

The step at node m is `add` for one parent after the other: the inner induction is over how many of them are done. What
`add` does is shown for every state of an entry, of another entry and of what arrives, arrays that are shared included.
That inner products are linear, and that a `for` does its body for each parent, is read off by hand; the loops are also
run whole, on every graph of three leaves and up to two ops, and on many with three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from gradproof import tape as shipped
from gradproof.compiled import CompiledTape
from gradproof.graph import CONST, INPUT, Graph, GraphNode

from ..obligations import Obligation, Outcome, Verdict
from ..solver import check
from ..symbolic import Unsupported, explore
from .structure import (
    EVERYTHING,
    Broken,
    Combination,
    Given,
    Names,
    combination,
    combined,
    compare,
    entries,
    op_like,
    ops_replaced,
    single,
    tensor,
    uninterpreted,
)


# ---------------------------------------------------------------- queries: inner products as real constants
class Query:
    """Linear real arithmetic over the inner products <t, x> of named tensors."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.hypotheses: list[str] = []

    def dot(self, left: Combination, right: Combination) -> str:
        terms = []
        for (a, x), (b, y) in product(left.items(), right.items()):
            self.names[f"|<{a}, {b}>|"] = None
            terms.append(f"(* {rational(x * y)} |<{a}, {b}>|)")
        return total(*terms)

    def constant(self, name: str) -> str:
        self.names[f"|{name}|"] = None
        return f"|{name}|"

    def given(self, left: str, right: str) -> None:
        self.hypotheses.append(f"(assert (= {left} {right}))")

    def texts(self, goal: str) -> tuple[str, str]:
        """(hypotheses, hypotheses and the negated goal)"""
        hypotheses = "\n".join([*(f"(declare-const {name} Real)" for name in self.names), *self.hypotheses])
        return hypotheses, f"{hypotheses}\n(assert (not {goal}))"


def rational(x: Fraction) -> str:
    text = f"(/ {abs(x.numerator)}.0 {x.denominator}.0)"
    return f"(- {text})" if x < 0 else text


def total(*terms: str) -> str:
    return f"(+ 0.0 {' '.join(terms)})"


def same(query: Query, left: Combination, right: Combination) -> str:
    """The same tensor: the same inner product with any w."""
    return f"(= {query.dot(single('w'), left)} {query.dot(single('w'), right)})"


@dataclass(frozen=True)
class Claim:
    """One query of a proof. `what` names the step."""

    what: str
    query: Query
    goal: str


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


# ---------------------------------------------------------------- the inner step: Cotangents.add
@dataclass(frozen=True)
class State:
    """Which arrays an entry, another entry and what arrives may have in common.

    present: "none", "given" (somebody else's array), "shared" (the other entry's) or "owned" (made by add).
    arriving: "new", "other" (the other entry's array) or "present" (this entry's own).
    """

    present: str
    arriving: str

    def __str__(self) -> str:
        return f"the entry has {self.present}, {self.arriving} arrives"


# Nobody knows an owned array while its entry waits for more, so it does not arrive: `add` keeps that true, see below.
STATES = [
    State(present, arriving)
    for present, arriving in product(("none", "given", "shared", "owned"), ("new", "other", "present"))
    if not (arriving == "present" and present in ("none", "owned"))
]
ENTRY, OTHER, UNTOUCHED = 0, 1, 2


@dataclass(frozen=True)
class Added:
    """The state before and after the shipped add(ENTRY, v)."""

    before: list[Combination]
    share: Combination
    after: list[Combination]


def added(state: State) -> Added:
    cotangents = shipped.Cotangents([shipped.Node(tensor("out")) for _ in range(3)])
    other = cotangents.sums[OTHER] = tensor("q")
    if state.present == "given":
        cotangents.sums[ENTRY] = tensor("p")
    elif state.present == "shared":
        cotangents.sums[ENTRY] = other
    elif state.present == "owned":
        cotangents.add(ENTRY, tensor("p"))
        cotangents.add(ENTRY, tensor("p'"))
        require(ENTRY in cotangents.owned, "a sum that add makes is not recorded as its own")
    held = cotangents.sums[ENTRY] if state.present in ("given", "shared") else None  # somebody else's
    arriving: Any = {"new": tensor("v"), "other": other, "present": cotangents.sums[ENTRY]}[state.arriving]
    before, share = [combination(array) for array in cotangents.sums], combination(arriving)
    cotangents.add(ENTRY, arriving)
    require(combination(arriving) == share, f"{state}: what arrives has been changed")
    require(held is None or combination(held) == before[ENTRY], f"{state}: somebody else's array has been changed")
    require(not {OTHER, UNTOUCHED} & cotangents.owned, f"{state}: an entry that add did not make counts as owned")
    for name, array in (("another entry", other), ("what arrived", arriving)):
        alone = not np.shares_memory(np.asarray(cotangents.sums[ENTRY]), np.asarray(array))
        require(alone or ENTRY not in cotangents.owned, f"{state}: the owned sum shares memory with {name}")
    return Added(before, share, [combination(array) for array in cotangents.sums])


def accumulate_claims() -> Iterator[Claim]:
    """add(p, v): c_p becomes c_p + v, and every other entry is as it was."""
    for state in STATES:
        step, query = added(state), Query()
        goals = [same(query, step.after[ENTRY], combined([step.before[ENTRY], step.share]))]
        goals += [same(query, step.after[i], step.before[i]) for i in (OTHER, UNTOUCHED)]
        yield Claim(f"add where {state}", query, f"(and {' '.join(goals)})")


def inner_adjoint_claims() -> Iterator[Claim]:
    """After k parents Σ_{i<m} <t_i, c_i> is what it was plus Σ_{j<k} <t_pj, V_j>. Base: k = 0. Step: add(p_k, V_k)."""
    query = Query()
    query.given(query.constant("done"), "0.0")  # the sum over no parent
    goal = f"(= {query.constant('below')} {total(query.constant('below'), query.constant('done'))})"
    yield Claim("inner induction, no parent done", query, goal)
    tangents = [single("t_p"), single("t_q"), single("t_r")]
    for state in STATES:
        step, query = added(state), Query()
        rest, below, done = (query.constant(name) for name in ("rest", "below", "done"))
        pairs = list(zip(tangents, step.before, step.after, strict=True))
        query.given(total(rest, *(query.dot(t, c) for t, c, _ in pairs)), total(below, done))
        now = total(rest, *(query.dot(t, c) for t, _, c in pairs))
        goal = f"(= {now} {total(below, done, query.dot(tangents[ENTRY], step.share))})"
        yield Claim(f"inner induction, one parent more, {state}", query, goal)


def outer_adjoint_claims() -> Iterator[Claim]:
    """From m + 1 to m, at a node with any number of parents and at a leaf; m = n and m = 0."""
    query = Query()
    below, below_after, done, own, leaves, seeds = map(
        query.constant, ("below", "below after", "Σ <t_p, V>", "<t_m, c_m>", "leaves", "Σ <t, s>")
    )
    query.given(total(below, own, leaves), seeds)  # the invariant at m + 1
    query.given(below_after, total(below, done))  # the inner induction, all parents done
    query.given(done, own)  # t_m = Σ_k J_k(t_p), and each V_k is the adjoint of J_k
    yield Claim("step at a node: the invariant at m", query, f"(= {total(below_after, leaves)} {seeds})")
    query = Query()
    below, own, leaves, seeds = map(query.constant, ("below", "<t_m, c_m>", "leaves", "Σ <t, s>"))
    query.given(total(below, own, leaves), seeds)
    yield Claim("step at a leaf: the invariant at m", query, f"(= {total(below, total(leaves, own))} {seeds})")


def seed_claims() -> Iterator[Claim]:
    """m = n: c_i is the sum of the seeds of i, by add again, so that a value seeded twice gets both."""
    for places in product((0, 1), repeat=3):
        loop = shipped.Tape()
        for _ in range(2):
            loop.leaf(tensor("out"))
        found = [combination(x) for x in loop.pull_back([(i, tensor(f"s{n}")) for n, i in enumerate(places)])]
        query = Query()
        want = [combined(single(f"s{n}") for n, j in enumerate(places) if j == i) for i in (0, 1)]
        yield Claim(f"seeds at {places}", query, f"(and {' '.join(map(partial(same, query), found, want))})")


# ---------------------------------------------------------------- the step at a node
class Watched(shipped.Cotangents):
    """Records the calls of add: the inner induction is over exactly these."""

    def __init__(self, nodes: Sequence[shipped.Node]) -> None:
        super().__init__(nodes)
        self.calls: list[tuple[int, Combination]] = []

    def add(self, node: int, cotangent: Any) -> None:
        self.calls.append((node, combination(cotangent)))
        super().add(node, cotangent)


MOST_PARENTS = 3
MANY = (0, 1, None, 1, 0, 0, 1, None, 1)  # and once more than any op of the table has


def nodes_to_try() -> Iterator[tuple[Names, shipped.Node]]:
    """Nodes of 0 to 3 inputs: every choice of two earlier nodes and of no gradient, repeated ones included; and one of
    many. Each as an op of that many inputs and as one of any number of inputs."""
    few = [parents for arity in range(MOST_PARENTS + 1) for parents in product((0, 1, None), repeat=arity)]
    for parents in [*few, MANY]:
        for variadic in (False, True)[: 1 + bool(parents)]:
            names = Names()
            inputs = tuple(tensor(f"x{k}") for k in range(len(parents)))
            op = uninterpreted(op_like("f", len(parents), variadic), names)
            out, residual = op.evaluate(inputs)
            yield names, shipped.Node(out, op, parents, inputs, residual, {})


def image(names: Names, way: str, node: shipped.Node, slot: int, direction: Combination) -> Combination:
    return names.image(way, "f", "{}", slot, tuple(f"x{k}" for k in range(len(node.inputs))), direction)


def push_claims() -> Iterator[Claim]:
    """Node.push_forward gives Σ_k J_k(t_p): a repeated parent counts twice, a missing one or a zero tangent not."""
    for names, node in nodes_to_try():
        for known in product((True, False), repeat=2):
            got = combination(node.push_forward([tensor(f"t{p}") if known[p] else None for p in (0, 1)]))
            query = Query()
            want = combined(
                image(names, "J", node, k, single(f"t{p}"))
                for k, p in enumerate(node.parents)
                if p is not None and known[p]
            )
            yield Claim(f"push_forward, parents {node.parents}, tangents {known}", query, same(query, got, want))
    require(shipped.Node(tensor("out")).push_forward([]) is None, "push_forward gives a leaf a tangent")


def pull_claims() -> Iterator[Claim]:
    """Node.pull_back(g) is add(p_k, V_k(g)) for each parent in turn. So every earlier entry gets what the definition of
    backpropagation adds to it for this node."""
    for names, node in nodes_to_try():
        cotangents = Watched([*(shipped.Node(tensor("out")) for _ in range(2)), node])
        cotangents.sums[0] = tensor("c0")
        before = [combination(array) for array in cotangents.sums[:2]]
        node.pull_back(tensor("g"), cotangents)
        after = [combination(array) for array in cotangents.sums[:2]]
        shares = [
            (p, image(names, "V", node, k, single("g"))) for k, p in enumerate(node.parents) if p is not None
        ]
        require(cotangents.calls == shares, f"pull_back, parents {node.parents}: it adds {cotangents.calls}")
        query, goals = Query(), []
        for i in (0, 1):
            by_definition = combined([before[i], *(share for p, share in shares if p == i)])
            goals.append(same(query, after[i], by_definition))
        yield Claim(f"pull_back, parents {node.parents}", query, f"(and {' '.join(goals)})")
        silent = Watched(cotangents.nodes)
        node.pull_back(None, silent)
        require(not silent.calls, f"pull_back, parents {node.parents}: a zero cotangent is passed on")
    leaf = Watched([shipped.Node(tensor("out"))])
    leaf.nodes[0].pull_back(tensor("g"), leaf)
    require(not leaf.calls, "pull_back passes on the cotangent of a leaf")


def lower_claims() -> Iterator[Claim]:
    """CompiledTape.add_node: the op on the values of the parents, in order; a gradient flows to those that have one."""
    few = [parents for arity in range(MOST_PARENTS + 1) for parents in product((0, 1), repeat=arity)]
    for parents in [*few, tuple(p or 0 for p in MANY)]:
        for variadic in (False, True)[: 1 + bool(parents)]:
            for moves in product((True, False), repeat=2):
                names, query, tape = Names(), Query(), CompiledTape()
                ops = {"f": uninterpreted(op_like("f", len(parents), variadic), names)}
                for i in (0, 1):
                    tape.add_leaf(tensor(f"x{i}"), moves[i])
                with ops_replaced(ops):
                    tape.add_node(GraphNode("f", parents))
                made, inputs = tape.nodes[-1], tuple(f"x{p}" for p in parents)
                case = f"add_node, parents {parents}, gradients {moves}"
                flows = tuple(p if moves[p] else None for p in parents)
                require(made.op is ops["f"] and made.parents == flows, f"{case}: a gradient flows to {made.parents}")
                require(tape.differentiable[-1] == any(moves[p] for p in parents), f"{case}: it has a gradient or not")
                require([combination(x) for x in made.inputs] == [single(x) for x in inputs], f"{case}: other inputs")
                goal = same(query, combination(made.out), single(names.value("f", "{}", inputs)))
                yield Claim(case, query, goal)


# ---------------------------------------------------------------- the loops whole
LEAVES = (GraphNode(INPUT), GraphNode(CONST), GraphNode(INPUT))
MOST_OPS, ONE_IN = 3, 7
PASSING_ON = frozenset({"f1"})


def small_graphs() -> Iterator[Graph]:
    """Every graph of an input, a constant, an input and up to two ops of two inputs each, the last leaf before or after
    the first op; of those with three ops, the inputs of each in one order, one in ONE_IN."""
    for count in range(MOST_OPS + (not entries.get())):
        for late in range(min(max(count, 1), 2)):  # the third leaf comes after that many ops
            kinds: list[Any] = [*LEAVES[:2], *range(late), LEAVES[2], *range(late, count)]
            choices = [
                [(a, b) for a in range(n) for b in range(n) if count < MOST_OPS or a <= b]
                for n, kind in enumerate(kinds) if kind in range(count)
            ]
            for place, parents in enumerate(product(*choices)):
                if count == MOST_OPS and place % ONE_IN:
                    continue
                pairs = iter(parents)
                nodes = tuple(
                    GraphNode(f"f{kind % 2}", next(pairs), {"k": kind % 2}) if kind in range(count) else kind
                    for kind in kinds
                )
                graph = Graph(nodes, (len(nodes) - 1,))
                object.__setattr__(graph, "payload", {1: tensor("x1")})
                yield graph


def givens(graph: Graph, place: int) -> list[Given]:
    """All seeds and tangents; and every choice of seeds with one tangent, requires_grad off for one input, a scalar
    with its seed of 1: all of these for a single op, in turn for two or three."""
    inputs, last = graph.inputs, len(graph.nodes) - 1
    ops = [i for i, node in enumerate(graph.nodes) if node.op not in (INPUT, CONST)]
    if entries.get():
        return [Given()]
    more = [Given(requires_grad=(False, True)), Given(requires_grad=(True, False))]
    for chosen in product((True, False), repeat=len(ops)):
        seeds = frozenset(i for i, use in zip(ops, chosen, strict=True) if use)
        more.append(Given(seeds=seeds, tangents=frozenset(inputs[len(seeds) % 2 :][:1])))
    if ops and ops[-1] == last:
        more.append(Given(scalar=last))
    return [Given(), *(more if len(ops) < 2 else [more[place % len(more)]])]


def whole_claims() -> Iterator[Claim]:
    """compile_tape, jvp_dense_all, backward_dense_from and denote, from end to end, are what the definitions say, and
    Σ_leaves <t, c> = Σ_i <t_i, s_i>. The second op hands its cotangent over as it is, to both of its inputs."""
    for graph, given in ((each, chosen) for place, each in enumerate(small_graphs()) for chosen in givens(each, place)):
        names, query = Names(passing=PASSING_ON), Query()
        ops = {f"f{n}": uninterpreted(op_like(f"f{n}", 2), names) for n in range(2)}
        found = compare(graph, ops, names, given=given)
        if given != EVERYTHING:
            continue
        for j, node in enumerate(graph.nodes):
            for k, p in enumerate(node.parents):
                if found.differentiable[p] and found.tangents[p] and found.cotangents[j]:
                    at = tuple(found.values[q] for q in node.parents)
                    attributes = repr(dict(node.attributes))
                    left = names.image("J", node.op, attributes, k, at, found.tangents[p])
                    right = names.image("V", node.op, attributes, k, at, found.cotangents[j])
                    query.given(query.dot(left, found.cotangents[j]), query.dot(found.tangents[p], right))
        leaves = [i for i, node in enumerate(graph.nodes) if node.op == INPUT]
        left_side = total(*(query.dot(found.tangents[i], found.cotangents[i]) for i in leaves))
        right_side = total(*(query.dot(t, given.seed(i)) for i, t in enumerate(found.tangents)))
        edges = [node.parents for node in graph.nodes if node.parents]
        yield Claim(f"ops on {edges}, {given}", query, f"(= {left_side} {right_side})")


# ---------------------------------------------------------------- the obligations
SHAPES: tuple[tuple[int, ...], ...] = ((), (2, 1))


def claims_at(shape: tuple[int, ...], families: Sequence[Callable[[], Iterable[Claim]]]) -> list[Claim]:
    token = entries.set(shape)
    try:
        return [claim for family in families for claim in family()]
    finally:
        entries.reset(token)


def prove(name: str, *families: Callable[[], Iterable[Claim]]) -> Outcome:
    """Every claim holds, and its hypotheses are satisfiable. The shipped functions run on one path: they do not look at
    what is in a tensor."""
    label = f"lowering[{name}]"
    claims: list[Claim] = []
    try:
        explorations = [explore(partial(claims_at, shape, families), max_paths=1) for shape in SHAPES]
    except Unsupported as fault:
        return Outcome(Verdict.UNSUPPORTED, f"UNSUPPORTED  {label}\n\n  {fault}")
    except Exception as error:
        told = str(error) if isinstance(error, Broken) else f"a step raises {type(error).__name__}: {error}"
        return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {told}")
    for exploration in explorations:  # one per shape: a tensor has one in each
        path = exploration.paths[0]
        if not exploration.complete or path.conditions or path.side_conditions:
            return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  a step looks at what is in a tensor")
        claims += path.result
    if not claims:
        return Outcome(Verdict.VACUOUS, f"VACUOUS  {label}\n\n  there is nothing to prove")
    text = ""
    for claim in joined(claims):
        hypotheses, text = claim.query.texts(claim.goal)
        answer = check(text)
        if answer != "unsat":
            verdict = Verdict.UNKNOWN if answer == "unknown" else Verdict.REFUTED
            wrong = next((c for c in claims if check(c.query.texts(c.goal)[1]) != "unsat"), claim)
            return Outcome(verdict, f"{verdict}  {label}\n\n  {wrong.what}", smtlib=text)
        if claim.query.hypotheses and check(hypotheses) != "sat":
            return Outcome(Verdict.VACUOUS, f"VACUOUS  {label}\n\n  {claim.what}: the hypotheses contradict")
    return Outcome(Verdict.PROVED, data={"queries": len(claims)}, smtlib=text)


BATCH = 64


def joined(claims: Sequence[Claim]) -> Iterator[Claim]:
    """Claims without hypotheses many at a time, as one query that names them all."""
    alone = [claim for claim in claims if claim.query.hypotheses]
    free = [claim for claim in claims if not claim.query.hypotheses]
    yield from alone
    for start in range(0, len(free), BATCH):
        batch, query = free[start : start + BATCH], Query()
        for claim in batch:
            query.names |= claim.query.names
        yield Claim("; ".join(claim.what for claim in batch), query, f"(and {' '.join(c.goal for c in batch)})")


Family = Callable[[], Iterable[Claim]]
EVERY_GRAPH = "every graph, by induction over its nodes and over the parents of a node"
CLAIMS: Mapping[str, tuple[str, str, tuple[Family, ...]]] = {
    "induction-values": (
        "the compiled value of node i is f_i of the values of its parents, in order",
        "every graph, by induction over its nodes",
        (lower_claims,),
    ),
    "induction-forward": (
        "push_forward gives t_i = Σ_k J_ik(t_p), a repeated parent twice, a constant not at all",
        "every graph, by induction over its nodes",
        (push_claims,),
    ),
    "induction-accumulate": (
        "add(p, v) makes c_p + v of c_p and changes nothing else, whatever arrays are shared",
        "every state of an entry, of another one and of what arrives",
        (accumulate_claims,),
    ),
    "induction-adjoint": (
        "Σ_i <t_i, s_i> = Σ_leaves <t, c>, if the VJPs of each node are adjoint to its JVPs",
        EVERY_GRAPH,
        (seed_claims, inner_adjoint_claims, pull_claims, outer_adjoint_claims),
    ),
    "induction-backprop": (
        "the reverse loop gives c_i = s_i + Σ_{j, k: p_jk = i} V_jk(c_j), backpropagation by definition",
        EVERY_GRAPH,
        (seed_claims, accumulate_claims, pull_claims),
    ),
    "loops-whole": (
        "values, tangents and cotangents by the public functions are those of the definitions, and adjoint",
        "every graph of two inputs, a constant and up to two ops of two inputs; one in seven of those with three",
        (whole_claims,),
    ),
}


def obligations() -> Iterator[Obligation]:
    for name, (claim, over, families) in CLAIMS.items():
        yield Obligation("lowering", "", name, claim, over, partial(prove, name, *families))


__all__: Sequence[str] = ("CLAIMS", "obligations", "prove")
