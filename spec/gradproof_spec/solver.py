"""TRUSTED. The only module that talks to SMT solvers: terms to SMT-LIB text, one fresh z3 context per query.

A query is text: it can be written to a file, replayed, and given to another solver. Limits are z3 resource units
(`rlimit`), never seconds, so a verdict does not depend on how busy the machine is. Encoding:

    index variable            Int constant
    x // c, x % c             div, mod (equal to Python's for c > 0)
    index tensor, selection   uninterpreted Int function
    tensor                    uninterpreted Real function of its indices
    exp, log, sqrt, tanh ...  uninterpreted Real functions with ground facts
    element of a tensor       what the domain says of it is a ground fact
    sum, reciprocal           uninterpreted function of the free indices, named by the digest of the term without them

A sum is opaque, so its bound indices never reach the solver. More models than reality can only lose proofs, never make
a false one: `unsat` is what counts.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import z3

from .counter_models import Samples, applications
from .terms import (
    TRUE,
    Condition,
    Index,
    Scalar,
    Term,
    conjuncts,
    free_variables,
    numbered_binders,
    substitute,
    subterms,
    variable,
)

RLIMIT, QUICK_RLIMIT = 500_000, 50_000
Axioms = Mapping[str, Callable[..., Sequence[Condition]]]
Known = Callable[[Scalar], Condition]
BETWEEN = {"pi": (Fraction(31415926, 10**7), Fraction(31415927, 10**7))}


def nothing_known(element: Scalar) -> Condition:
    return TRUE


@lru_cache(maxsize=1 << 16)  # the answer depends on nothing but the text and the limit
def check(text: str, rlimit: int = RLIMIT) -> str:
    """'sat', 'unsat' or 'unknown' for SMT-LIB text of declarations and assertions.

    z3's plain solver answers most queries in half the time of its full one, which is asked where that one gives up.
    """
    quick = _answer(z3.SimpleSolver, text, min(rlimit, QUICK_RLIMIT))
    return _answer(z3.Solver, text, rlimit) if quick == "unknown" else quick


def _answer(make: Callable[..., Any], text: str, rlimit: int) -> str:
    solver = make(ctx=z3.Context())
    solver.set("rlimit", rlimit)
    solver.from_string(text)
    return str(solver.check())


def check_with_cvc5(text: str, limit_ms: int = 5000) -> str:
    """The same with cvc5: a second opinion, never part of a verdict."""
    import cvc5

    solver = cvc5.Solver()
    solver.setOption("tlimit-per", str(limit_ms))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, f"(set-logic ALL)\n{text}\n(check-sat)\n", "query")
    symbols, result = parser.getSymbolManager(), "unknown"
    while not (command := parser.nextCommand()).isNull():
        result = command.invoke(solver, symbols).strip() or result
    return str(result)


# ---------------------------------------------------------------- translation
class Translation:
    """Terms as SMT-LIB expressions; remembers the declarations that they need."""

    def __init__(self, known: Known = nothing_known) -> None:
        self.declarations: dict[str, str] = {}
        self.facts: dict[str, None] = {}
        self.applications: dict[Term, None] = {}
        self.known = known
        self._done: dict[Term, str] = {}

    def declare(self, name: str, argument_sort: str, arity: int, sort: str) -> str:
        arguments = " ".join([argument_sort] * arity)
        self.declarations[name] = f"(declare-fun |{name}| ({arguments}) {sort})"
        return f"|{name}|"

    def call(self, name: str, arguments: Iterable[str], argument_sort: str, sort: str) -> str:
        args = list(arguments)
        head = self.declare(name, argument_sort, len(args), sort)
        return f"({head} {' '.join(args)})" if args else head

    def term(self, t: Term) -> str:
        text = self._done.get(t)
        if text is None:
            text = self._done[t] = (
                self._index(t) if isinstance(t, Index) else
                self._condition(t) if isinstance(t, Condition) else self._scalar(t))  # type: ignore[arg-type]
        return text

    def _index(self, t: Index) -> str:
        if t.op == "constant":
            return _integer(t.args[0])
        if t.op == "variable":
            return self.call(f"{t.args[0]} ", (), "Int", "Int")
        if t.op == "apply":
            self.applications[t] = None
            return self.call(f"index {t.args[0]}", map(self.term, t.args[1:]), "Int", "Int")
        head = {"+": "+", "*": "*", "//": "div", "%": "mod"}[t.op]
        return f"({head} {self.term(t.args[0])} {self.term(t.args[1])})"

    def _condition(self, t: Condition) -> str:
        if t.op in ("true", "false"):
            return t.op
        head = {"index<=": "<=", "index==": "=", "value<": "<", "value<=": "<=", "value==": "="}.get(t.op, t.op)
        return f"({head} {' '.join(map(self.term, t.args))})"

    def _scalar(self, t: Scalar) -> str:
        if t.op == "number":
            return _rational(t.args[0])
        if t.op == "integer":
            return f"(to_real {self.term(t.args[0])})"
        if t.op == "access":
            text = self._done[t] = self.call(f"tensor {t.args[0]}", map(self.term, t.args[1:]), "Int", "Real")
            if (fact := self.known(t)) != TRUE:
                self.facts[self.term(fact)] = None
            return text
        if t.op == "constant":
            text = self.declare(f"constant {t.args[0]}", "Int", 0, "Real")
            low, high = BETWEEN[t.args[0]]
            self.facts[f"(< {_rational(low)} {text} {_rational(high)})"] = None
            return text
        if t.op in ("add", "mul"):
            return f"({'+' if t.op == 'add' else '*'} {self.term(t.args[0])} {self.term(t.args[1])})"
        if t.op == "indicator":
            return f"(ite {self.term(t.args[0])} 1.0 0.0)"
        if t.op == "where":
            return f"(ite {' '.join(map(self.term, t.args))})"
        if t.op == "function":
            inner = self.term(t.args[1])
            text = self.call(f"function {t.args[0]}", (inner,), "Real", "Real")  # z3 has a sin of its own
            if t.args[0] == "exp":
                self.facts[f"(> {text} 0.0)"] = None
            if t.args[0] in ("tanh", "sin", "cos", "erf"):
                self.facts[f"(<= (- 1.0) {text} 1.0)"] = None
            if t.args[0] == "sqrt":
                self.facts[f"(=> (>= {inner} 0.0) (and (>= {text} 0.0) (= (* {text} {text}) {inner})))"] = None
            return text
        t = numbered_binders(t)  # a sum or a reciprocal: opaque, a function of its free indices
        free = free_variables(t)
        names = list(dict.fromkeys(x.args[0] for x in subterms(t) if x.op == "variable" and x.args[0] in free))
        function = substitute(t, {n: variable(f"argument {k}") for k, n in enumerate(names)})
        arguments = [self.term(variable(n)) for n in names]
        text = self.call(f"{t.op} {function.digest.hex()}", arguments, "Int", "Real")
        if t.op == "reciprocal":
            inner = self.term(t.args[0])
            self.facts[f"(=> (distinct {inner} 0.0) (= (* {text} {inner}) 1.0))"] = None
        return text


def _integer(n: int) -> str:
    return str(n) if n >= 0 else f"(- {-n})"


def _rational(q: Fraction) -> str:
    text = f"{abs(q.numerator)}.0" if q.denominator == 1 else f"(/ {abs(q.numerator)}.0 {q.denominator}.0)"
    return text if q >= 0 else f"(- {text})"


# ---------------------------------------------------------------- queries
@dataclass
class Solver:
    """Validity of conditions under hypotheses, with the axioms of the index functions that occur.

    axioms    name of an index function -> (arguments -> conditions that hold of its value)
    known     what is assumed of an element of a tensor
    """

    axioms: Axioms = field(default_factory=dict)
    known: Known = nothing_known
    rlimit: int = RLIMIT
    queries: int = 0
    unknowns: int = 0
    unsat_texts: list[str] | None = None  # set to a list to keep every query that was answered unsat
    _cache: dict[str, str] = field(default_factory=dict)
    _samples: Samples = field(default_factory=Samples)
    _valid: dict[tuple[Condition, ...], bool | None] = field(default_factory=dict)  # the fields above do not change

    def valid(self, hypotheses: Sequence[Condition], goal: Condition) -> bool | None:
        """True if the hypotheses imply the goal, False if z3 has a counter-model, None if it gave up."""
        key = (*hypotheses, goal)
        if key not in self._valid:
            self._valid[key] = self._is_valid(hypotheses, goal)
        return self._valid[key]

    def _is_valid(self, hypotheses: Sequence[Condition], goal: Condition) -> bool | None:
        parts = conjuncts(goal)
        known = {c for h in hypotheses for c in conjuncts(h)}
        parts = [p for p in parts if p not in known]
        if not parts:
            return True
        goal = parts[0]
        for p in parts[1:]:
            goal = goal & p
        if self._has_model([*hypotheses, ~goal]):
            return False
        answer = self._ask(hypotheses, lambda translate: f"(not {translate(goal)})")
        if answer == "unknown" and _has_division([*hypotheses, goal]):
            from .lemmas import division_instances  # second try, with instances of proved lemmas added

            answer = self._ask([*hypotheses, *division_instances([*hypotheses, goal])],
                               lambda translate: f"(not {translate(goal)})")
        return {"unsat": True, "sat": False}.get(answer)

    def satisfiable(self, conditions: Sequence[Condition]) -> bool | None:
        if self._has_model(conditions):
            return True
        return {"sat": True, "unsat": False}.get(self._ask(conditions, lambda translate: "true"))

    def _has_model(self, conditions: Sequence[Condition]) -> bool:
        """Was a model in small integers found of the conditions and of the axioms that their query would assert?"""
        required = dict.fromkeys(conditions)
        done: set[Term] = set()
        for _ in range(2 if self.axioms else 0):  # as in `text`
            for a in [a for c in required for a in applications(c) if a not in done]:
                done.add(a)
                if axioms := self.axioms.get(a.args[0]):
                    required = {**dict.fromkeys(axioms(*a.args[1:])), **required}
        return self._samples.model(list(required)) is not None

    def guards_cancel(self, hypotheses: Sequence[Condition],
                      terms: Sequence[tuple[Fraction, Sequence[Condition]]]) -> bool | None:
        """Is the sum of coefficient * [guards] equal to 0 under the hypotheses?"""
        def goal(translate: Callable[[Term], str]) -> str:
            summands = [f"(ite (and true {' '.join(map(translate, guards))}) {_rational(c)} 0.0)"
                        for c, guards in terms]
            return f"(not (= 0.0 (+ 0.0 {' '.join(summands)})))"

        return {"unsat": True, "sat": False}.get(self._ask(hypotheses, goal))

    def text(self, hypotheses: Sequence[Condition], negated_goal: Callable[[Callable[[Term], str]], str]) -> str:
        translation = Translation(self.known)
        asserted = [f"(assert {translation.term(h)})" for h in dict.fromkeys(hypotheses)]
        asserted.append(f"(assert {negated_goal(translation.term)})")
        done: set[Term] = set()
        for _ in range(2):  # axioms of the applications that occur, then of those that the axioms mention
            for a in [a for a in translation.applications if a not in done]:
                done.add(a)
                if axioms := self.axioms.get(a.args[0]):
                    asserted += [f"(assert {translation.term(axiom)})" for axiom in axioms(*a.args[1:])]
        facts = [f"(assert {fact})" for fact in translation.facts]
        return "\n".join([*sorted(translation.declarations.values()), *facts, *asserted])

    def _ask(self, hypotheses: Sequence[Condition], negated_goal: Callable[[Callable[[Term], str]], str]) -> str:
        text = self.text(hypotheses, negated_goal)
        answer = self._cache.get(text)
        if answer is None:
            answer = self._cache[text] = check(text, self.rlimit)
            self.queries += 1
            self.unknowns += answer == "unknown"
            if answer == "unsat" and self.unsat_texts is not None:
                self.unsat_texts.append(text)
        return answer


def _has_division(conditions: Sequence[Condition]) -> bool:
    return any(x.op in ("//", "%") for c in conditions for x in subterms(c))


def valid(hypotheses: Sequence[Condition], goal: Condition) -> bool | None:
    return Solver().valid(hypotheses, goal)


def satisfiable(conditions: Sequence[Condition]) -> bool | None:
    return Solver().satisfiable(conditions)
