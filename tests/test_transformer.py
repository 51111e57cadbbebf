"""The transformer of examples/ learns, and its graph computes the same loss and gradients."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import gradproof as gp
from gradproof.trees import leaves

EXAMPLE = Path(__file__).parent.parent / "examples" / "transformer.py"
SPEC = importlib.util.spec_from_file_location("transformer", EXAMPLE)
transformer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(transformer)


@pytest.fixture(scope="module")
def graph():
    return transformer.recorded()


def test_the_loss_goes_down_by_one_and_a_half_nats_in_twenty_steps(capsys):
    losses = transformer.main(steps=21)
    assert len(losses) == 21
    assert losses[0] - losses[20] > 1.5
    assert min(losses[16:]) < min(losses[6:11]) < losses[0]
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("step")] == [
        f"step {step:3}  loss {losses[step]:.3f}" for step in (0, 10, 20)]


def test_the_loss_of_a_model_that_knows_nothing_is_that_of_guessing():
    params = transformer.init()
    params["out"]["weight"][...] = 0
    ids, labels = transformer.batch(0)
    # float32, and a mean of 512 terms
    assert transformer.loss(params, ids, labels) == pytest.approx(np.log(len(transformer.ALPHABET)), rel=1e-6)


def test_no_prediction_depends_on_a_later_character():
    params, (ids, _) = transformer.init(), transformer.batch(0)
    for place in (0, 7, 31):
        other = ids.copy()
        other[:, place] = (other[:, place] + 1) % len(transformer.ALPHABET)
        before, after = transformer.logits(params, ids), transformer.logits(params, other)
        np.testing.assert_array_equal(before[:, :place], after[:, :place])
        assert (before[:, place] != after[:, place]).any(axis=-1).all()


def test_batches_are_passages_of_the_text_and_differ():
    seen = set()
    for step in range(20):
        ids, labels = transformer.batch(step)
        assert ids.shape == labels.shape == (transformer.BATCH, transformer.CONTEXT)
        for row, following in zip(ids, labels, strict=True):
            passage = "".join(transformer.ALPHABET[k] for k in [*row, following[-1]])
            assert passage in transformer.TEXT
            np.testing.assert_array_equal(row[1:], following[:-1])
        seen.add(ids.tobytes())
    assert len(seen) == 20


def test_every_number_is_reproducible():
    for one, other, double, another in zip(*map(leaves, (transformer.init(), transformer.init(),
            transformer.init(dtype=np.float64), transformer.init(seed=1))), strict=True):
        np.testing.assert_array_equal(one, other)
        assert (one.dtype, double.dtype) == (np.float32, np.float64)
        np.testing.assert_array_equal(one, double)
        assert not np.array_equal(one, another) or len(np.unique(one)) == 1  # gamma, beta and biases start constant
    assert transformer.main(steps=3) == transformer.main(steps=3)
    assert transformer.sample(transformer.init()) == transformer.sample(transformer.init())


def test_the_recorded_graph_is_the_loss(graph):
    graph.check_well_formed()
    params, (ids, labels) = transformer.init(seed=5), transformer.batch(3)
    inputs = [*leaves(params), ids, labels]
    assert len(graph.inputs) == len(inputs)
    value, loss = graph(*inputs), transformer.loss(params, ids, labels)
    np.testing.assert_array_equal(value, loss)  # the same ops in the same order: to the bit
    assert value.dtype == loss.dtype == np.float32
    np.testing.assert_array_equal(graph.denote(*inputs)[graph.outputs[0]], loss)


def test_the_gradients_of_the_recorded_graph_are_those_of_the_loss(graph):
    params, (ids, labels) = transformer.init(seed=5), transformer.batch(3)
    inputs = [*leaves(params), ids, labels]
    gradients = list(leaves(gp.grad(transformer.loss)(params, ids, labels)))
    assert all(np.abs(g).max() > 0 for g in gradients)
    through_the_graph = gp.grad(lambda xs: graph(*xs, ids, labels))(inputs[:-2])
    tape, _ = gp.compile_tape(graph, inputs)
    dense = gp.backward_dense_all(tape)
    for g, same, number in zip(gradients, through_the_graph, graph.inputs, strict=False):
        np.testing.assert_array_equal(g, same)
        np.testing.assert_array_equal(g, dense[number])


def test_the_graph_is_printed_with_its_number_of_nodes(graph, capsys):
    transformer.main(steps=1)
    line = f"the loss is a graph of {len(graph.nodes)} nodes, {len(graph.inputs)} of them inputs"
    assert line in capsys.readouterr().out.splitlines()
    assert {graph.nodes[number].dtype for number in graph.inputs[-2:]} == {"int64"}
