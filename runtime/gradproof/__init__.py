"""gradproof: a NumPy autograd runtime whose every gradient rule is proved.

>>> import numpy as np
>>> import gradproof as gp
>>> gp.grad(lambda x: gp.reduce_sum(gp.relu(x) * x))(np.array([-1.0, 2.0]))
array([0., 4.])
"""

from .errors import DomainError, DtypeError, GradproofError, GraphError, IndexRangeError, ShapeError
from .op import OPS, Op
from .ops import (
    add,
    broadcast_to,
    concat,
    conv,
    exp,
    gather_rows,
    layer_norm,
    linear,
    log_softmax,
    matmul,
    max_pool,
    maximum,
    mse_loss,
    mul,
    neg,
    reduce_mean,
    reduce_sum,
    relu,
    reshape,
    softmax,
    sub,
)
from .transforms import grad, jvp, ops_used, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "OPS",
    "DomainError",
    "DtypeError",
    "GradproofError",
    "GraphError",
    "IndexRangeError",
    "Op",
    "ShapeError",
    "__version__",
    "add",
    "broadcast_to",
    "concat",
    "conv",
    "exp",
    "gather_rows",
    "grad",
    "jvp",
    "layer_norm",
    "linear",
    "log_softmax",
    "matmul",
    "max_pool",
    "maximum",
    "mse_loss",
    "mul",
    "neg",
    "ops_used",
    "reduce_mean",
    "reduce_sum",
    "relu",
    "reshape",
    "softmax",
    "sub",
    "value_and_grad",
    "vjp",
]
