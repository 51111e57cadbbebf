"""A training in a session is the training of the same model in PyTorch, step by step: losses, gradients, parameters."""
import importlib.util
from pathlib import Path

import numpy as np
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "session_regression.py"
SPEC = importlib.util.spec_from_file_location("session_regression", EXAMPLE)
example = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(example)

# Both sides round in float64, and a step carries a difference on without enlarging it: what arises is at most some unit
# roundoffs of values near 1 per step, 601 * 2**-53 = 7e-14. (Seen: 1e-15.)
TOLERANCE = 1e-13

torch.set_num_threads(1)


def torch_model():
    hidden, out = torch.nn.Linear(2, example.HIDDEN), torch.nn.Linear(example.HIDDEN, 1)
    model = torch.nn.Sequential(hidden, torch.nn.Tanh(), out).double()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), example.initial_values().values(), strict=True):
            parameter.copy_(torch.from_numpy(value))
    return model


def test_losses_and_parameters_are_those_of_pytorch():
    x, y = example.data()
    ours, theirs = example.Regression(), torch_model()
    optimizer = torch.optim.SGD(theirs.parameters(), lr=example.LEARNING_RATE)
    for step in range(example.STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        assert abs(ours.step(x, y) - loss.item()) <= TOLERANCE, step
        for parameter, tensor in zip(ours.parameters.values(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(parameter.value, tensor.detach().numpy(), rtol=0, atol=TOLERANCE,
                                       err_msg=f"{parameter.name} after step {step}")
    assert loss.item() < 0.01  # it was a training


def test_gradients_of_a_step_are_those_of_pytorch():
    x, y = example.data()
    ours, theirs = example.Regression(), torch_model()
    session = ours.session
    refs = [session.use(parameter) for parameter in ours.parameters.values()]
    data = session.input(x, requires_grad=True)
    hidden = session.tanh(session.linear(data, *refs[:2]))
    gradients = session.backward_scalar(session.mse_loss(session.linear(hidden, *refs[2:]), session.const(y)))
    leaf = torch.from_numpy(x).requires_grad_()
    torch.nn.functional.mse_loss(theirs(leaf), torch.from_numpy(y)).backward()
    for ref, tensor in zip([*refs, data], [*theirs.parameters(), leaf], strict=True):
        np.testing.assert_allclose(gradients[ref], tensor.grad.numpy(), rtol=0, atol=TOLERANCE)
    assert float(np.abs(gradients[data]).max()) > 0.01
