"""Random graphs, built again node by node in PyTorch, which shares nothing with ours: outputs and gradients agree."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from calls.common import one_batch_axis
from hypothesis import HealthCheck, given, settings

import gradproof as gp

sys.path.append(str(Path(__file__).parents[1]))  # graph_programs is shared with the tests beside this folder
from graph_programs import BINARY, UNARY, programs

EXAMPLES = 150
# Both sides round, in up to 14 ops one after the other, some of which amplify what came before (1 / sqrt(eps) = 10 in a
# norm, 1 / x < 10). As in test_agreement_torch; in 3,000 random graphs the largest difference was 2e-15.
TOLERANCE = 1e-12

torch.set_num_threads(1)  # the arrays are tiny


def clamped(x, min=None, max=None):
    return torch.clamp(x, min, max)


def convolved(x, weight, bias=None, *, stride, padding, dilation, groups):
    inner = weight.ndim - 1
    function = {2: F.conv1d, 3: F.conv2d, 4: F.conv3d}[inner]
    return one_batch_axis(lambda x: function(x, weight, bias, stride, padding, dilation, groups), inner)(x)


def padded(x, widths, value):
    return F.pad(x, [width for pair in reversed(widths) for width in pair], value=value)


def powered(x, exponent=None, integer=None):
    return torch.pow(x, exponent if integer is None else integer)


def reduced(function):
    return lambda x, target, reduction: function(x, target, reduction=reduction)


def kl_div(log_p, target, reduction):
    total = F.kl_div(log_p, target, reduction="sum")
    return total / target.numel() if reduction == "mean" else total  # PyTorch warns that its "mean" will change


def layer_norm(x, gamma, beta, eps):
    return F.layer_norm(x, gamma.shape, gamma, beta, eps)


TORCH = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
    "minimum": torch.minimum,
    "neg": torch.neg, "exp": torch.exp, "relu": torch.relu, "square": torch.square, "abs": torch.abs,
    "sqrt": torch.sqrt,
    "log": torch.log, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus, "silu": F.silu,
    "sin": torch.sin,
    "cos": torch.cos, "reciprocal": torch.reciprocal, "detach": torch.Tensor.detach, "matmul": torch.matmul,
    "linear": F.linear,
    "safe_log": lambda x, eps: torch.log(torch.clamp(x, min=eps)), "scale": lambda x, c: x * c, "gelu": F.gelu,
    "pow": powered,
    "leaky_relu": F.leaky_relu, "elu": F.elu, "hardtanh": F.hardtanh, "clamp": clamped, "clamp_min": clamped,
    "clamp_max": clamped,
    "where": torch.where, "einsum": lambda *xs, equation: torch.einsum(equation, *xs),
    "softmax": lambda x, axis: torch.softmax(x, axis), "log_softmax": lambda x, axis: torch.log_softmax(x, axis),
    "logsumexp": lambda x, axis, keepdims: torch.logsumexp(x, axis, keepdims),
    "reduce_sum": lambda x, axis, keepdims: torch.sum(x, axis, keepdims) if axis else x,
    "reduce_mean": lambda x, axis, keepdims: torch.mean(x, axis, keepdims) if axis else x,
    "max_axis": lambda x, axis, keepdims: torch.amax(x, axis, keepdims), "min_axis": lambda x, axis,
    keepdims: torch.amin(x, axis, keepdims),
    "cumsum": lambda x, axis: torch.cumsum(x, axis), "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, axes: x.permute(axes), "broadcast_to": lambda x, shape: x.broadcast_to(shape), "pad": padded,
    "concat": lambda *xs, axis: torch.cat(xs, axis), "slice_range": lambda x, start, length, axis: x.narrow(axis,
    start, length),
    "layer_norm": layer_norm, "rms_norm": lambda x, gamma, eps: F.rms_norm(x, gamma.shape, gamma, eps),
    "conv": convolved, "mse_loss": reduced(F.mse_loss), "bce_with_logits": reduced(F.binary_cross_entropy_with_logits),
    "cross_entropy": reduced(F.cross_entropy), "nll_loss": reduced(F.nll_loss), "kl_div": kl_div,
    "sgd_update": lambda p, g, learning_rate: p - learning_rate * g,
    "momentum_update": lambda v, g, momentum, dampening: momentum * v + (1 - dampening) * g,
}  # fmt: skip
STEPS = (*UNARY, *BINARY, "sqrt", "log", "reciprocal", "pow", "div", "attributes", "where", "matmul", "einsum",
"linear", "conv",
         "conv2d", "softmaxes", "reductions", "cumsum", "reshape", "transpose", "pad", "concat", "stack", "split",
         "slice_range",
         "broadcast_to", "layer_norm", "rms_norm", "label_losses", "losses", "kl_div", "updates")  # fmt: skip


def run(graph, inputs):
    """The graph in PyTorch: the outputs, from tensors in the order of the inputs."""
    values, given_inputs = [], iter(inputs)
    for number, node in enumerate(graph.nodes):
        if node.op == "input":
            values.append(next(given_inputs))
        elif node.op == "const":
            array = graph.payload[number]
            values.append(torch.from_numpy(array.astype(np.int64) if array.dtype.kind in "iu" else array.copy()))
        else:
            values.append(TORCH[node.op](*(values[parent] for parent in node.parents), **node.attributes))
    return [values[number] for number in graph.outputs]


def agree(ours, theirs):
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    bound = TOLERANCE * max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


def tensor(array):
    made = torch.from_numpy(array.astype(np.int64) if array.dtype.kind in "iu" else array.copy())
    return made.requires_grad_(array.dtype.kind == "f")


def test_random_graphs_agree_with_pytorch(record_property):
    met, graphs = Counter(), 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(programs(only=STEPS, float32=False, inputs=("float64",)))
    def compare(program):
        nonlocal graphs
        graph = program.graph
        tensors = [tensor(x) for x in program.inputs]
        theirs = run(graph, tensors)
        ours, pullback = gp.vjp(graph, *program.inputs)
        ours = ours if isinstance(ours, tuple) else (ours,)
        for pair in zip(ours, theirs, strict=True):
            agree(pair[0], pair[1].detach().numpy())

        rng = np.random.default_rng(0)
        cotangents = tuple(rng.standard_normal(out.shape) for out in ours)
        gradients = pullback(cotangents if len(cotangents) > 1 else cotangents[0])
        total = sum(((out * torch.from_numpy(np.asarray(g))).sum() for out, g in zip(theirs, cotangents, strict=True)),
                    torch.zeros((), dtype=torch.float64, requires_grad=True))  # fmt: skip
        floats = [k for k, x in enumerate(program.inputs) if x.dtype.kind == "f"]
        found = torch.autograd.grad(total, [tensors[k] for k in floats], allow_unused=True)
        for k, gradient in zip(floats, found, strict=True):
            agree(gradients[k], np.zeros_like(program.inputs[k]) if gradient is None else gradient.numpy())
        graphs += 1
        met.update(node.op for node in graph.nodes)

    compare()
    record_property("graphs", graphs)
    assert graphs >= EXAMPLES
    assert len(met.keys() - {"input", "const"}) >= 40
