"""The results of a symbolic run at float inputs, for test_jax_functions and test_torch_functions."""
import math

import numpy as np

from gradproof_spec.symbolic import as_terms
from gradproof_spec.terms import Term


def value(t, inputs, done):
    """A term at {name: array}."""
    if t not in done:
        if t.op == "where":
            done[t] = value(t.args[1 if value(t.args[0], inputs, done) else 2], inputs, done)
        else:
            a = [value(x, inputs, done) if isinstance(x, Term) else x for x in t.args]
            done[t] = {
                "number": lambda: float(a[0]), "constant": lambda: {"pi": math.pi}.get(a[0], a[0]),
                "access": lambda: float(inputs[a[0]][tuple(a[1:])]), "add": lambda: a[0] + a[1],
                "mul": lambda: a[0] * a[1], "reciprocal": lambda: 1 / a[0] if a[0] else math.inf,
                "function": lambda: getattr(math, a[0])(a[1]), "indicator": lambda: float(a[0]),
                "value<": lambda: a[0] < a[1], "value<=": lambda: a[0] <= a[1], "value==": lambda: a[0] == a[1],
                "and": lambda: a[0] and a[1], "or": lambda: a[0] or a[1], "not": lambda: not a[0],
                "true": lambda: True, "false": lambda: False}[t.op]()
    return done[t]


def at(exploration, inputs):
    """The results (a list of arrays) of the one path that these inputs take."""
    assert exploration.complete
    done = {}
    taken = [p for p in exploration.paths if all(value(c, inputs, done) for c in p.conditions)]
    assert len(taken) == 1
    results = taken[0].result
    terms = [as_terms(r) for r in (results if isinstance(results, (tuple, list)) else [results])]
    return [np.array([value(t, inputs, done) for t in r.ravel()], dtype=float).reshape(r.shape) for r in terms]
