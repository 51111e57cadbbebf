"""Every op agrees with PyTorch, an implementation that shares nothing with ours: forward, JVP, VJP; ties included."""
import inspect

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from calls import CALLS, COMPOSED, NO_COUNTERPART, array
from hypothesis import HealthCheck, given, settings

import gradproof as gp

# Both sides round: results may differ by a few units in the last place of the largest element.
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}
EXAMPLES = 60

torch.set_num_threads(1)  # the arrays are tiny


def agree(ours, theirs, dtype):
    if isinstance(theirs, tuple):
        assert isinstance(ours, tuple)
        for pair in zip(ours, theirs, strict=True):
            agree(*pair, dtype)
        return
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == dtype
    assert np.isfinite(theirs).all()
    bound = TOLERANCE[dtype] * max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


def tensors(arrays):
    return tuple(torch.from_numpy(x) for x in arrays)


TRANSFORMS = {"compile", "grad", "jvp", "ops_used", "value_and_grad", "vjp"}
OF_GRAPHS = {"backward_dense_all", "backward_dense_from", "checked_out_id", "compile_tape", "jvp_availability",
             "jvp_dense_all", "out_id", "reverse_only_jvp_ops", "trace"}


def public_functions():
    """The op table, and every public function that computes or makes arrays."""
    functions = {name for name in gp.__all__ if inspect.isfunction(getattr(gp, name))}
    assert functions >= TRANSFORMS | OF_GRAPHS
    return sorted(functions.union(gp.OPS) - TRANSFORMS - OF_GRAPHS)


def lines(title, reasons):
    """One for each reason."""
    for reason in dict.fromkeys(reasons.values()):
        yield f"{title}: {', '.join(name for name in reasons if reasons[name] == reason)} ({reason})"


def test_every_op_is_compared(record_property):
    record_property("exceptions", [*lines("compared with a composition", COMPOSED),
                                   *lines("no counterpart", NO_COUNTERPART)])
    listed = sorted([*CALLS, *NO_COUNTERPART])  # a function in both would be there twice
    assert listed == public_functions()
    assert set(COMPOSED) <= set(CALLS)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", CALLS)
def test_forward_jvp_and_vjp_agree(name, dtype, record_property):
    examples = 0

    # A slow machine is no reason to fail.
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
              suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def compare(data):
        nonlocal examples
        call = data.draw(CALLS[name](dtype))
        primals = tuple(call.arrays)
        tangents = tuple(array(data.draw, dtype, *x.shape) for x in primals)

        def ours(*xs):
            return call.ours(*xs, **call.attributes)

        out, tangent = gp.jvp(ours, primals, tangents)
        torch_out, torch_tangent = torch.func.jvp(call.theirs, tensors(primals), tensors(tangents))
        agree(ours(*primals), torch_out, dtype)
        agree(out, torch_out, dtype)
        agree(tangent, torch_tangent, dtype)

        pieces = out if isinstance(out, tuple) else (out,)
        g = tuple(array(data.draw, dtype, *piece.shape) for piece in pieces)
        _, pullback = gp.vjp(ours, *primals)
        _, torch_pullback = torch.func.vjp(call.theirs, *tensors(primals))
        if isinstance(out, tuple):
            agree(pullback(g), torch_pullback(tensors(g)), dtype)
        else:
            agree(pullback(g[0]), torch_pullback(torch.from_numpy(g[0])), dtype)
        examples += 1

    compare()
    record_property("examples", examples)
