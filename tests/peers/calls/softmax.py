"""softmax, log_softmax, logsumexp."""
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import Call, case, one_axis, shape_or_empty, wide
from .reduction import reduction

reduction("logsumexp", torch.logsumexp)


def along(ours, theirs, draw, dtype):
    drawn = shape_or_empty(draw)
    axis = one_axis(draw, len(drawn) or 1)
    return Call(ours, lambda x: theirs(x, axis), [wide(draw, dtype, *drawn)], {"axis": axis})


@case
def softmax(draw, dtype):
    return along(gp.softmax, F.softmax, draw, dtype)


@case
def log_softmax(draw, dtype):
    return along(gp.log_softmax, F.log_softmax, draw, dtype)
