"""TRUSTED. A PyTorch function or torch.autograd.Function as NumPy functions: traced by make_fx, interpreted op by op.

    forward(*xs)      f(*xs), or Function.apply(*xs)
    vjp(g, *xs)       torch.autograd.grad(f(*xs), xs, g), with the `backward` of the Function in it

They run on floats and on the symbols of `gradproof_spec.symbolic`. The numbers are reals: float32 and float64 are the
same, and a constant of f is the decimal that its author wrote. What f does is what ATen's recorded operations mean.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .foreign_arrays import Array, NumpyFunctions, argument, constant, decimals, elements, symbolic_class, typed
from .symbolic import ObjectArray, Unsupported
from .torch_ops import OPS, dtype_kind


def numpy_functions(f: Any, *shapes: Sequence[int], dtype: Any = "float64") -> NumpyFunctions:
    """The NumPy functions of a torch.autograd.Function, or of a function of tensors, of arguments of these shapes.

    Arguments that are not tensors are bound first: lambda x: MyFunction.apply(x, 0.5).
    `dtype`: a torch.dtype or its name, of all arguments or one per argument; integers and Booleans have no derivative.
    Raises Unsupported where f needs the values of its arguments in Python, and when run on what is not modelled.
    """
    torch = _torch()
    dtypes = list(dtype) if isinstance(dtype, (list, tuple)) else [dtype] * len(shapes)
    if len(dtypes) != len(shapes):
        raise ValueError(f"{len(shapes)} shapes and {len(dtypes)} dtypes: give one dtype, or one per shape")
    dtypes = [getattr(torch, d) if isinstance(d, str) else d for d in dtypes]
    call = _called(torch, f)
    real = [k for k, d in enumerate(dtypes) if d.is_floating_point]

    def flat(*xs: Any) -> list[Any]:
        y = call(*xs)
        return list(y) if isinstance(y, (tuple, list)) else [y]

    def differentiable(xs: Sequence[Any]) -> list[Any]:
        return [x.detach().requires_grad_() if k in real else x for k, x in enumerate(xs)]

    def pull(*gs_xs: Any) -> Any:
        xs = differentiable(gs_xs[len(outs):])
        pairs = [(y, g) for y, g in zip(flat(*xs), gs_xs, strict=False) if y.requires_grad]
        if not pairs:
            return [None for _ in real]
        return torch.autograd.grad([y for y, _ in pairs], [xs[k] for k in real], [g for _, g in pairs],
                                   allow_unused=True)

    def push(*xs_ts: Any) -> Any:
        xs, ts = list(xs_ts[:len(dtypes)]), xs_ts[len(dtypes):]
        with torch.autograd.forward_ad.dual_level():
            for k, t in zip(real, ts, strict=True):
                xs[k] = torch.autograd.forward_ad.make_dual(xs[k], t)
            return [torch.autograd.forward_ad.unpack_dual(y).tangent for y in flat(*xs)]

    with _default_dtype(torch, next((dtypes[k] for k in real), torch.float64)):
        examples = [torch.zeros(tuple(s), dtype=d) for s, d in zip(shapes, dtypes, strict=True)]
        forward = _trace(torch, flat, examples)
        outs = _values(forward)
        primal = _trace(torch, lambda *xs: [y.detach() for y in flat(*differentiable(xs))], examples)
        like = [torch.zeros(tuple(y.shape), dtype=y.dtype) for y in outs]
        backward = _trace(torch, pull, [*like, *examples])
        try:
            tangent = _trace(torch, push, [*examples, *(torch.zeros_like(examples[k]) for k in real)])
        except (NotImplementedError, RuntimeError):  # a Function without `jvp`, an operation without one
            tangent = None

    def checked(xs: Sequence[Any]) -> list[Array]:
        if len(xs) != len(examples):
            raise ValueError(f"{len(xs)} arguments given, the function was translated for {len(examples)}")
        return [argument(f"argument {k}", x, tuple(e.shape)) for k, (x, e) in enumerate(zip(xs, examples, strict=True))]

    def run_vjp(g: Any, *xs: Any) -> Any:
        gs = [g] if len(like) == 1 and not isinstance(g, (tuple, list)) else list(g)
        gs = [argument("the cotangent", x, tuple(y.shape)) for x, y in zip(gs, like, strict=True)]
        xs = tuple(checked(xs))
        found = dict(zip(real, _evaluate(backward, [*gs, *xs]), strict=True))
        return _unpacked([_or_zero(found[k], xs[k]) if k in real else None for k in range(len(xs))])

    def run_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        ts = [argument(f"tangent {k}", tangents[k], tuple(examples[k].shape)) for k in real]
        results = _evaluate(tangent, [*checked(primals), *ts])
        return _unpacked([np.zeros(tuple(y.shape)) if t is None else t for t, y in zip(results, like, strict=True)])

    return NumpyFunctions(lambda *xs: _unpacked(_evaluate(forward, checked(xs))), run_vjp,
                          run_jvp if tangent is not None else None,
                          lambda *xs: _unpacked(_evaluate(primal, checked(xs))))


def _called(torch: Any, f: Any) -> Any:
    is_class: bool = isinstance(f, type)
    return f.apply if is_class and issubclass(f, torch.autograd.Function) else f


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise ImportError("PyTorch is not installed: pip install 'gradproof[torch]'") from None
    return torch


@contextmanager
def _default_dtype(torch: Any, dtype: Any) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


NEED_VALUES = ("DataDependentOutputException", "DynamicOutputShapeException", "GuardOnDataDependentSymNode")


def _trace(torch: Any, f: Callable[..., Any], examples: Sequence[Any]) -> Any:
    """The graph of f: first what it does, then the same without writing in place."""
    from torch._decomp import core_aten_decompositions
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def step(g: Any, table: Any) -> Any:  # make_fx knows arguments by identity: no two examples are one tensor
        return make_fx(lambda *xs: g(*xs), decomposition_table=table, tracing_mode="fake",
                       _allow_non_fake_inputs=True)(*examples)

    try:
        with sdpa_kernel(SDPBackend.MATH):
            recorded = step(f, core_aten_decompositions())
            if any(map(_is_dynamic, recorded.graph.nodes)):
                raise _needs_values(".item() or a Boolean index")
            graph = step(torch.func.functionalize(recorded), {})
    except Exception as error:
        text = str(error).strip() or type(error).__name__
        if type(error).__name__ in NEED_VALUES or ".numpy()" in text or "data-dependent" in text:
            raise _needs_values(text.splitlines()[0]) from error
        raise
    if any(n.op == "call_function" and str(n.target).startswith("aten.copy_.") and n.args[0].op == "placeholder"
           for n in graph.graph.nodes):
        raise Unsupported("a PyTorch function that writes to its argument in place: clone it first")
    graph.graph.eliminate_dead_code()
    return graph


def _is_dynamic(node: Any) -> bool:
    """A number out of a tensor, or a shape that depends on values."""
    shape = getattr(node.meta.get("val"), "shape", ())
    return "_local_scalar_dense" in str(node.target) or any(not isinstance(n, int) for n in shape)


def _needs_values(found: str) -> Unsupported:
    return Unsupported("a PyTorch function whose Python code needs the values of its arguments (if, .item(), .numpy(), "
                       f"a Boolean index): use torch.where. PyTorch found: {found}")


def _unpacked(results: list[Any]) -> Any:
    return results[0] if len(results) == 1 else tuple(results)


def _or_zero(x: Any, like: Array) -> Any:
    return np.zeros_like(like) if x is None else x  # a backward that returns None means 0


# ---------------------------------------------------------------- the interpreter
def _values(graph: Any) -> list[Any]:
    """The example values of the graph's results."""
    (result,) = next(n for n in graph.graph.nodes if n.op == "output").args
    return [n.meta["val"] for n in result]


def _evaluate(graph: Any, xs: Sequence[Any]) -> list[Any]:
    kind, given, values = symbolic_class(xs), iter(xs), {}  # type: ignore[var-annotated]

    def value(a: Any) -> Any:
        if isinstance(a, (list, tuple)):
            return [value(x) for x in a]
        if isinstance(a, float) and kind is not None:
            exact = np.asarray(constant(a, kind), dtype=object).view(np.ndarray)
            return a if isinstance(exact[()], float) else elements(exact, kind, np.float64)
        return values[a] if type(a).__name__ == "Node" else a

    with np.errstate(all="ignore"):
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                values[node] = _as(node.meta["val"], next(given), kind)
            elif node.op == "get_attr":
                values[node] = _tensor(getattr(graph, node.target), kind)
            elif node.op == "output":
                return list(value(node.args[0]))
            else:
                result = _operation(node)(*map(value, node.args), **{k: value(v) for k, v in node.kwargs.items()})
                values[node] = _as(node.meta["val"], result, kind)
    raise RuntimeError("a graph without an output")


def _operation(node: Any) -> Callable[..., Any]:
    if node.target is operator.getitem:
        return lambda values, k: values[k]
    name = str(node.target)  # aten.add.Tensor
    space, _, rest = name.partition(".")
    packet = rest.partition(".")[0]
    found: Callable[..., Any] | None = OPS.get(rest, OPS.get(packet))
    if space not in ("aten", "prims") or found is None:
        raise Unsupported(f"the PyTorch operation {name} is not modelled")
    return found


def _as(example: Any, x: Any, kind: type[ObjectArray] | None) -> Any:
    if isinstance(example, (list, tuple)):
        return [_as(e, y, kind) for e, y in zip(example, x, strict=True)]
    if x is None or example is None:
        return None
    x = typed(x, kind, example.dtype.is_floating_point, {"b": bool, "i": np.int64}.get(dtype_kind(example.dtype)))
    if x.shape != tuple(example.shape):
        raise RuntimeError(f"the meaning of a PyTorch operation gives shape {x.shape}, PyTorch "
                           f"{tuple(example.shape)}: a mistake of gradproof")
    return x


def _tensor(x: Any, kind: type[ObjectArray] | None) -> Array:
    dtype_kind(x.dtype)
    x = x.detach().cpu()
    numbers = decimals((x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy())
    return typed(numbers, kind, numbers.dtype.kind == "f", numbers.dtype)
