"""TRUSTED. A JAX function as NumPy functions: traced by JAX, interpreted one primitive at a time.

    forward(*xs)              f
    vjp(g, *xs)               jax.vjp(f, *xs)[1](g), with the backward code of a custom_vjp in it
    jvp(primals, tangents)    jax.jvp(f, ...)[1], with the rule of a custom_jvp in it

They run on floats and on the symbols of `gradproof_spec.symbolic`. The numbers are reals: float32 and float64 are the
same, and a constant of f is the decimal that its author wrote. What f does is what its jaxpr says: what XLA makes of it
is no part of this.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .foreign_arrays import Array, NumpyFunctions, argument, decimals, machine, symbolic_class, typed
from .jax_primitives import BY_JAX, PRIMITIVES, dtype_kind
from .symbolic import ObjectArray, Unsupported


def numpy_functions(f: Callable[..., Any], *shapes: Sequence[int], dtype: str | Sequence[str] = "float64"
                    ) -> NumpyFunctions:
    """The NumPy functions of a JAX function of arrays of these shapes.

    `dtype`: of all arguments, or one per argument; integers and Booleans have no derivative.
    Raises Unsupported where f needs the values of its arguments in Python, and when run on what is not modelled.
    """
    jax = _jax()
    dtypes = (dtype,) * len(shapes) if isinstance(dtype, str) else tuple(dtype)
    if len(dtypes) != len(shapes):
        raise ValueError(f"{len(shapes)} shapes and {len(dtypes)} dtypes: give one dtype, or one per shape")
    structs = [jax.ShapeDtypeStruct(tuple(s), d) for s, d in zip(shapes, dtypes, strict=True)]
    real = [k for k, d in enumerate(dtypes) if dtype_kind(d) == "f"]

    def of_reals(xs: Sequence[Any]) -> Callable[..., Any]:
        """f as a function of its float arguments, as a flat list of leaves."""
        def g(*values: Any) -> Any:
            given = dict(zip(real, values, strict=True))
            return jax.tree_util.tree_leaves(f(*(given.get(k, x) for k, x in enumerate(xs))))
        return g

    with _double_precision(jax):
        forward = _trace(jax, lambda *xs: jax.tree_util.tree_leaves(f(*xs)), structs)
        outs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in forward.out_avals]
        unreal = sorted({str(a.dtype) for a in outs if dtype_kind(a.dtype) != "f"})
        no_vjp = f"a result of dtype {', '.join(unreal)} has no cotangent"
        floats = [structs[k] for k in real]
        backward = tangent = primal = None
        if not unreal:
            def pull(gs: Any, *xs: Any) -> Any:
                return jax.vjp(of_reals(xs), *(xs[k] for k in real))[1](list(gs))

            def push(primals: Any, tangents: Any) -> Any:
                return jax.jvp(of_reals(primals), tuple(primals[k] for k in real), tuple(tangents))[1]

            try:
                backward = _trace(jax, pull, [outs, *structs])
                primal = _trace(jax, lambda *xs: jax.vjp(of_reals(xs), *(xs[k] for k in real))[0], structs)
            except ValueError as error:
                if "Reverse-mode" not in str(error):  # while loops have none
                    raise
                no_vjp = str(error).splitlines()[0]
            try:
                tangent = _trace(jax, push, [structs, floats])
            except TypeError:  # "can't apply forward-mode differentiation (jvp) to a custom_vjp function"
                tangent = None
            if tangent is not None and "custom_lin" in _primitives(tangent.jaxpr):  # newer JAX: the same, later
                tangent = None

    def checked(xs: Sequence[Any]) -> list[Array]:
        if len(xs) != len(structs):
            raise ValueError(f"{len(xs)} arguments given, the function was translated for {len(structs)}")
        return [argument(f"argument {k}", x, s.shape) for k, (x, s) in enumerate(zip(xs, structs, strict=True))]

    def run_vjp(g: Any, *xs: Any) -> Any:
        if backward is None:
            raise Unsupported(f"this JAX function has no VJP: {no_vjp}")
        gs = [g] if len(outs) == 1 and not isinstance(g, (tuple, list)) else list(g)
        gs = [argument("the cotangent", x, s.shape) for x, s in zip(gs, outs, strict=True)]
        found = iter(_evaluate(backward, [*gs, *checked(xs)]))
        return _unpacked([next(found) if k in real else None for k in range(len(structs))])

    def run_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        ts = [argument(f"tangent {k}", tangents[k], structs[k].shape) for k in real]
        return _unpacked(_evaluate(tangent, [*checked(primals), *ts]))

    return NumpyFunctions(
        lambda *xs: _unpacked(_evaluate(forward, checked(xs))), run_vjp, run_jvp if tangent is not None else None,
        lambda *xs: _unpacked(_evaluate(forward if primal is None else primal, checked(xs))))


def _jax() -> Any:
    try:
        import jax
    except ImportError:
        raise ImportError("JAX is not installed: pip install 'gradproof[jax]'") from None
    return jax


@contextmanager
def _double_precision(jax: Any) -> Iterator[None]:
    import jax.experimental as older  # before JAX 0.8

    with (jax if hasattr(jax, "enable_x64") else older).enable_x64(True):
        yield


def _trace(jax: Any, f: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    values = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError,
              jax.errors.TracerIntegerConversionError, jax.errors.NonConcreteBooleanIndexError)
    try:
        return jax.make_jaxpr(f)(*arguments)
    except values as error:
        raise Unsupported("a JAX function whose Python code needs the values of its arguments (if, float(), a NumPy "
                          f"call, a Boolean index): use jnp.where or lax.cond. JAX says: {str(error).splitlines()[0]}"
                          ) from error


def _primitives(jaxpr: Any) -> set[str]:
    """The names of all primitives, in inner jaxprs too."""
    names = set()
    for eqn in jaxpr.eqns:
        names.add(eqn.primitive.name)
        for p in eqn.params.values():
            for inner in p if isinstance(p, (tuple, list)) else (p,):
                inner = getattr(inner, "jaxpr", inner)
                names |= _primitives(inner) if hasattr(inner, "eqns") else set()
    return names


def _unpacked(results: list[Any]) -> Any:
    return results[0] if len(results) == 1 else tuple(results)


# ---------------------------------------------------------------- the interpreter
def _evaluate(closed: Any, xs: Sequence[Any]) -> list[Any]:
    with np.errstate(all="ignore"):
        return _closed(closed, xs, symbolic_class(xs))


def _closed(closed: Any, xs: Sequence[Any], kind: type[ObjectArray] | None) -> list[Any]:
    return _run(closed.jaxpr, [_constant(c, kind) for c in closed.consts], xs, kind)


def _run(jaxpr: Any, constants: Sequence[Any], xs: Sequence[Any], kind: type[ObjectArray] | None) -> list[Any]:
    """The values of a jaxpr: only equations that its results need."""
    values: dict[Any, Any] = {}

    def value(v: Any) -> Any:
        return _constant(v.val, kind) if hasattr(v, "val") else values[v]

    for v, x in zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *xs], strict=True):
        values[v] = _as(v.aval, x, kind)
    for eqn in _needed(jaxpr):
        results = _equation(eqn, [value(v) for v in eqn.invars], kind)
        for v, x in zip(eqn.outvars, results, strict=True):
            values[v] = _as(v.aval, x, kind)
            if np.shape(values[v]) != v.aval.shape:
                raise RuntimeError(f"the meaning of the JAX primitive {eqn.primitive.name} gives shape "
                                   f"{np.shape(values[v])}, JAX {v.aval.shape}: a mistake of gradproof")
    return [value(v) for v in jaxpr.outvars]


def _needed(jaxpr: Any) -> list[Any]:
    live = {v for v in jaxpr.outvars if not hasattr(v, "val")}
    kept = []
    for eqn in reversed(jaxpr.eqns):
        if live.intersection(eqn.outvars):
            kept.append(eqn)
            live.update(v for v in eqn.invars if not hasattr(v, "val"))
    return kept[::-1]


def _equation(eqn: Any, xs: list[Any], kind: type[ObjectArray] | None) -> Sequence[Any]:
    name = eqn.primitive.name
    if name in BY_JAX or any(not isinstance(x, np.ndarray) for x in xs):  # a random key is an array of JAX only
        return _by_jax(eqn, xs)
    if name in CONTROL:
        return CONTROL[name](eqn.params, xs, kind)
    if name not in PRIMITIVES:
        called = [v for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if (v := eqn.params.get(k)) is not None]
        if name in CALLS and called:
            return _called(called[0], xs, kind)
        raise Unsupported(f"the JAX primitive {name} is not modelled")
    result = PRIMITIVES[name](eqn, *xs)
    return result if isinstance(result, list) else [result]


def _as(aval: Any, x: Any, kind: type[ObjectArray] | None) -> Any:
    if not isinstance(x, (np.ndarray, np.generic, bool, int, float)):
        return x  # a random key
    return typed(x, kind, dtype_kind(aval.dtype) == "f", aval.dtype)


def _constant(x: Any, kind: type[ObjectArray] | None) -> Any:
    dtype = getattr(x, "dtype", None)
    if dtype is not None and str(dtype).startswith("key<"):
        return x
    x = decimals(x)
    return typed(x, kind, dtype_kind(x.dtype) == "f", x.dtype)


def _by_jax(eqn: Any, xs: Sequence[Any]) -> list[Any]:
    """Random keys, random bits and what is computed from them: only what is the same for all arguments."""
    jax = _jax()
    with _double_precision(jax):
        values = [jax.numpy.asarray(_machine(eqn, x, v.aval.dtype)) if isinstance(x, np.ndarray) else x
                  for x, v in zip(xs, eqn.invars, strict=True)]
        results = eqn.primitive.bind(*values, **eqn.params)
    return [x if str(x.dtype).startswith("key<") else np.asarray(x)
            for x in (results if eqn.primitive.multiple_results else [results])]


def _machine(eqn: Any, x: Array, dtype: Any) -> np.ndarray:
    numbers = machine(x)
    if numbers is None:
        raise Unsupported(f"the JAX primitive {eqn.primitive.name} of values that depend on the arguments")
    return numbers.astype(dtype)


# ---------------------------------------------------------------- calls and control flow
CALLS = frozenset({
    "jit", "pjit", "closed_call", "core_call", "core_closed_call", "call", "custom_jvp_call", "custom_vjp_call",
    "custom_vjp_call_jaxpr", "remat", "remat2", "checkpoint"})


def _called(jaxpr: Any, xs: Sequence[Any], kind: type[ObjectArray] | None) -> list[Any]:
    return _closed(jaxpr, xs, kind) if hasattr(jaxpr, "consts") else _run(jaxpr, [], xs, kind)


def _cond(params: Any, xs: Sequence[Any], kind: type[ObjectArray] | None) -> list[Any]:
    which, *operands = xs
    for k, branch in enumerate(params["branches"][:-1]):
        if bool(which <= k):  # on symbols: both sides are explored
            return _closed(branch, operands, kind)
    return _closed(params["branches"][-1], operands, kind)


def _while(params: Any, xs: Sequence[Any], kind: type[ObjectArray] | None) -> list[Any]:
    nc, nb = params["cond_nconsts"], params["body_nconsts"]
    for_cond, for_body, state = xs[:nc], xs[nc:nc + nb], list(xs[nc + nb:])
    while bool(_closed(params["cond_jaxpr"], [*for_cond, *state], kind)[0]):
        state = _closed(params["body_jaxpr"], [*for_body, *state], kind)
    return state


def _scan(params: Any, xs: Sequence[Any], kind: type[ObjectArray] | None) -> list[Any]:
    n, c = params["num_consts"], params["num_carry"]
    constants, state, sequences = xs[:n], list(xs[n:n + c]), xs[n + c:]
    order = range(params["length"])
    rows: list[list[Any]] = []
    for i in reversed(order) if params["reverse"] else order:
        results = _closed(params["jaxpr"], [*constants, *state, *(s[i] for s in sequences)], kind)
        state = results[:c]
        rows.append(results[c:])
    if params["reverse"]:
        rows.reverse()
    stacked = [np.stack(column) for column in zip(*rows, strict=True)]
    if not rows:
        stacked = [np.zeros((0, *v.aval.shape)) for v in params["jaxpr"].jaxpr.outvars[c:]]
    return [*state, *stacked]


CONTROL: dict[str, Callable[[Any, Sequence[Any], Any], list[Any]]] = {"cond": _cond, "while": _while, "scan": _scan}
