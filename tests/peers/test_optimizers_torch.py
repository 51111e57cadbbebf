"""Ten steps of sgd, adam and adamw are those of torch.optim, on a tree of parameters, in both dtypes."""
import numpy as np
import pytest
import torch

from gradproof.optimizers import adam, adamw, sgd
from gradproof.trees import leaves, map_leaves

STEPS = 10
# Both sides round, the moments in another order of operations: a few units in the last place of a step per step.
TOLERANCE = {np.float64: 1e-15, np.float32: 5e-7}
RUNS = {
    "sgd": (sgd, torch.optim.SGD, {}),
    "sgd-decay": (sgd, torch.optim.SGD, {"weight_decay": 0.1}),
    "sgd-momentum": (sgd, torch.optim.SGD, {"momentum": 0.9}),
    "sgd-dampening": (sgd, torch.optim.SGD, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    "sgd-nesterov": (sgd, torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": (adam, torch.optim.Adam, {}),
    "adam-decay": (adam, torch.optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.95)}),
    "adam-eps": (adam, torch.optim.Adam, {"eps": 0.1, "betas": (0.0, 0.5)}),
    "adamw": (adamw, torch.optim.AdamW, {}),
    "adamw-decay": (adamw, torch.optim.AdamW, {"weight_decay": 0.5, "betas": (0.8, 0.95), "eps": 1e-3}),
}


def tree(rng, dtype):
    def array(*shape):
        return np.asarray(rng.normal(size=shape), dtype)

    return {"layers": [(array(3, 4), array(4)), (array(4, 2), array(2))], "scale": array(), "nothing": array(0, 2)}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: d.__name__)
@pytest.mark.parametrize(("ours", "theirs", "options"), RUNS.values(), ids=RUNS)
def test_ten_steps_agree(ours, theirs, options, dtype):
    """Now and then the first parameter has no gradient: then it is left out, its own steps are counted."""
    rng = np.random.default_rng(0)
    params, state = tree(rng, dtype), None
    tensors = [torch.nn.Parameter(torch.from_numpy(np.array(x))) for x in leaves(params)]
    optimizer = theirs(tensors, lr=0.05, **options)
    for step in range(STEPS):
        gradients = tree(rng, dtype)
        if step in (0, 4):
            gradients["layers"][0] = (None, gradients["layers"][0][1])
        for tensor, g in zip(tensors, leaves(gradients), strict=True):
            tensor.grad = None if g is None else torch.from_numpy(np.array(g))
        optimizer.step()
        before = params
        params, state = ours(params, gradients, state, learning_rate=0.05, **options)
        map_leaves(lambda p, q, g: np.testing.assert_equal(np.array_equal(p, q), g is None or p.size == 0),
                   params, before, gradients)
        for x, tensor in zip(leaves(params), tensors, strict=True):
            assert x.dtype == dtype
            np.testing.assert_allclose(x, tensor.detach().numpy(), rtol=0, atol=TOLERANCE[dtype] * (step + 1))
    assert state.step == STEPS


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: d.__name__)
@pytest.mark.parametrize(("ours", "theirs", "options"), RUNS.values(), ids=RUNS)
def test_the_state_agrees(ours, theirs, options, dtype):
    """Velocities and moments after ten steps."""
    rng = np.random.default_rng(1)
    params, state = tree(rng, dtype), None
    tensors = [torch.nn.Parameter(torch.from_numpy(np.array(x))) for x in leaves(params)]
    optimizer = theirs(tensors, lr=0.05, **options)
    for _ in range(STEPS):
        gradients = tree(rng, dtype)
        for tensor, g in zip(tensors, leaves(gradients), strict=True):
            tensor.grad = torch.from_numpy(np.array(g))
        optimizer.step()
        params, state = ours(params, gradients, state, learning_rate=0.05, **options)
    pairs = ({"velocity": "momentum_buffer"} if ours is sgd else
             {"first_moment": "exp_avg", "second_moment": "exp_avg_sq", "counts": "step"})
    for our_name, their_name in pairs.items():
        for x, tensor in zip(leaves(getattr(state, our_name)), tensors, strict=True):
            theirs_ = optimizer.state[tensor].get(their_name)
            if theirs_ is None:
                assert x is None and "momentum" not in options
            else:
                np.testing.assert_allclose(x, theirs_.numpy(), rtol=0, atol=TOLERANCE[dtype] * STEPS)
