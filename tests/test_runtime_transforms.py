"""jvp, vjp, grad, value_and_grad: structures, zeros, accumulation, what is differentiated, and what is refused."""

import threading
from typing import NamedTuple

import numpy as np
import pytest

import gradproof as gp


def test_gradient_of_nested_parameters_has_their_structure():
    layers = [{"w": np.array([[1.0, 2.0]]), "b": np.zeros(1)}, (np.array(3.0), 4.0)]
    params = {"layers": layers, "steps": 7, "off": None}

    def loss(p, x):
        layer, (scale, shift) = p["layers"]
        return gp.reduce_sum(gp.linear(x, layer["w"], layer["b"]) * scale + shift)

    value, gradient = gp.value_and_grad(loss)(params, np.array([1.0, 1.0]))
    assert value == 13.0
    assert gradient["steps"] is None and gradient["off"] is None
    np.testing.assert_array_equal(gradient["layers"][0]["w"], [[3, 3]])
    np.testing.assert_array_equal(gradient["layers"][0]["b"], [3])
    assert isinstance(gradient["layers"][1], tuple)
    np.testing.assert_array_equal(gradient["layers"][1], [3, 1])


class Pair(NamedTuple):
    a: np.ndarray
    b: np.ndarray


def test_named_tuples_stay_named():
    gradient = gp.grad(lambda p: p.a * p.b)(Pair(np.array(2.0), np.array(5.0)))
    assert gradient == Pair(5.0, 2.0)


def test_unused_inputs_get_zeros():
    x, y = np.ones((2, 3), np.float32), np.ones(4)
    gx, gy = gp.vjp(lambda x, y: gp.exp(y), x, y)[1](np.ones(4))
    np.testing.assert_array_equal(gx, np.zeros((2, 3)))
    assert gx.dtype == np.float32
    np.testing.assert_allclose(gy, np.exp(y))


def test_a_function_of_nothing_has_zero_gradient():
    value, gradient = gp.value_and_grad(lambda x: 5.0)(np.ones(2))
    assert (value.shape, value) == ((), 5.0)
    np.testing.assert_array_equal(gradient, [0, 0])
    np.testing.assert_array_equal(gp.jvp(lambda x: np.ones(3), (1.0,), (1.0,))[1], np.zeros(3))


@pytest.mark.parametrize("uses", [2, 3, 5])
def test_repeated_use_accumulates(uses):
    def f(x):
        total = x
        for _ in range(uses - 1):
            total = x + total
        return total

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(gp.vjp(f, x)[1](np.array([1.0, 10.0]))[0], [uses, 10 * uses])


def test_accumulation_does_not_change_what_others_hold():
    """x + x hands the same g to both sides; y * y adds two cotangents in place."""

    def f(x):
        y = x + x
        z = y * y + y
        return z + y, z

    x, g = np.array([1.0, 2.0]), (np.array([1.0, 1.0]), np.array([3.0, 5.0]))
    _, pullback = gp.vjp(f, x)
    np.testing.assert_array_equal(pullback(g)[0], (1 + 1) * g[0] + (8 * x + 2) * (g[0] + g[1]))
    np.testing.assert_array_equal(pullback(g)[0], pullback(g)[0])
    np.testing.assert_array_equal(g[0], [1, 1])
    np.testing.assert_array_equal(g[1], [3, 5])


def test_the_same_output_twice_accumulates():
    _, pullback = gp.vjp(lambda x: [x, x], np.array(1.0))
    assert pullback([2.0, 3.0])[0] == 5.0


def test_a_long_chain_takes_linear_time_and_no_recursion():
    def f(x):
        for _ in range(3000):
            x = x + 0.0
        return x

    assert gp.grad(f)(1.0) == 1.0


@pytest.mark.parametrize("primal", [3, True, np.arange(3), np.array([True]), np.int64(2), None, "same"])
def test_primals_that_are_not_floats_have_none(primal):
    seen = []

    def f(x, n):
        seen.append(n)
        return gp.exp(x), n

    out, pullback = gp.vjp(f, 0.0, primal)
    assert out[1] is primal or (out[1].shape, out[1]) == ((), primal)  # a NumPy scalar becomes a 0-d array
    assert seen[0] is primal
    assert pullback((1.0, None))[1] is None
    assert gp.jvp(f, (0.0, primal), (1.0, None))[1][1] is None


def test_dict_and_tuple_outputs():
    def f(x):
        return {"double": x + x, "parts": (x * x, 7.0)}

    out, pullback = gp.vjp(f, 3.0)
    assert (out["double"], out["parts"][0], out["parts"][1]) == (6, 9, 7)
    assert pullback({"parts": [10.0, 1.0], "double": 1.0}) == (62,)
    out, tangent = gp.jvp(f, [3.0], [1.0])
    assert (tangent["double"], tangent["parts"][0], tangent["parts"][1]) == (2, 6, 0)


@pytest.mark.parametrize(("argnums", "expected"), [(0, 5), (1, 2), (-1, 2), ((1, 0), (2, 5)), ((0,), (5,))])
def test_argnums(argnums, expected):
    assert gp.grad(lambda a, b: a * b, argnums)(2.0, 5.0) == expected


def test_other_arguments_and_keywords_are_constants():
    assert gp.grad(lambda a, b, *, c: a * b * c, 1)(2.0, 5.0, c=np.array(10.0)) == 20


def test_value_and_grad_of_float32():
    value, gradient = gp.value_and_grad(lambda x: gp.reduce_mean(x * x * 0.5))(np.ones(4, np.float32))
    assert (value.dtype, gradient.dtype) == (np.float32, np.float32)


def test_cotangents_take_the_dtype_of_the_output():
    (gx,) = gp.vjp(gp.exp, np.zeros(2, np.float32))[1](np.ones(2))
    assert gx.dtype == np.float32


# operators


MATRIX = np.array([[3.0, -1.0], [0.5, 2.0]])


@pytest.mark.parametrize("other", [MATRIX, 2, 2.5, np.float64(1.5), [[1.0, 2.0], [3.0, 4.0]]])
def test_operators_on_either_side(other):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    array = np.asarray(other)
    f = lambda x: (x + other) * (other + x) - (other - x) * (x - other) + (other * x) * (x * other) + (-x)  # noqa: E731
    expected = (x + array) ** 2 + (x - array) ** 2 + (array * x) ** 2 - x
    slope = 2 * (x + array) + 2 * (x - array) + 2 * array**2 * x - 1
    out, pullback = gp.vjp(f, x)
    np.testing.assert_allclose(out, expected)
    np.testing.assert_allclose(pullback(np.ones((2, 2)))[0], slope)
    np.testing.assert_allclose(gp.jvp(f, (x,), (np.ones((2, 2)),))[1], slope)


def test_matmul_operator_on_either_side():
    x, c = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [2.0, 0.0]])
    (gx,) = gp.vjp(lambda x: x @ c + c @ x, x)[1](np.ones((2, 2)))
    np.testing.assert_allclose(gx, np.ones((2, 2)) @ c.T + c.T @ np.ones((2, 2)))


def test_numpy_scalar_operators_promote():
    assert gp.vjp(lambda x: np.float64(2) * x, np.ones(2, np.float32))[0].dtype == np.float64


# what the caller changes afterwards does not matter


def test_changing_a_primal_before_the_pullback():
    x = np.array([1.0, 2.0])
    _, pullback = gp.vjp(lambda x: x * x, x)
    x[:] = 100
    np.testing.assert_array_equal(pullback(np.ones(2))[0], [2, 4])


def test_reusing_a_buffer_inside_the_function():
    buffer = np.zeros(2)

    def f(x):
        for step in (2.0, 3.0):
            buffer[:] = step
            x = x * buffer
        return gp.reduce_sum(x)

    np.testing.assert_array_equal(gp.grad(f)(np.ones(2)), [6, 6])


def test_reusing_an_index_buffer_inside_the_function():
    rows = np.zeros(1, int)

    def f(x):
        total = 0.0
        for row in (0, 2):
            rows[:] = row
            total = gp.reduce_sum(gp.gather_rows(x, rows)) + total
        return total

    np.testing.assert_array_equal(gp.grad(f)(np.ones((3, 1))), [[1], [0], [1]])


def test_a_list_of_outputs_that_the_caller_changes():
    kept = []

    def f(x):
        kept.append(x * 2.0)
        return kept

    _, pullback = gp.vjp(f, 1.0)
    kept.append(None)
    assert pullback([1.0]) == (2.0,)


# ops_used


def test_ops_used_in_order_of_first_use():
    def f(p, x):
        return gp.reduce_sum(gp.relu(x @ p["w"]) + 1.0) - gp.reduce_sum(p["w"])

    used = gp.ops_used(f, {"w": np.ones((2, 2))}, np.ones((1, 2)))
    assert used == ("matmul", "relu", "broadcast_to", "add", "reduce_sum", "sub")


def test_ops_used_sees_plain_arrays_and_forgets_after_an_error():
    with pytest.raises(gp.ShapeError):
        gp.ops_used(lambda: gp.mse_loss(np.ones(2), np.ones(3)))
    assert gp.ops_used(lambda: gp.exp(np.ones(2))) == ("exp",)


def test_threads_do_not_disturb_each_other():
    results = {}

    def work(n):
        results[n] = [gp.grad(lambda x: x * x * float(n))(2.0) for _ in range(50)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(g == 4.0 * n for n in range(4) for g in results[n])


def test_a_function_may_rebind_the_entries_of_its_parameters():
    """The gradient is that of the arguments, in their structure, whatever the function does to its containers."""

    def f(p):
        p["a"] = gp.mul(p["a"], 2.0)
        p["new"] = p["a"]
        return gp.reduce_sum(gp.mul(p.pop("a"), p["new"]))

    primal = {"a": np.ones(2)}
    gradient = gp.grad(f)(primal)
    assert list(gradient) == ["a"]
    np.testing.assert_array_equal(gradient["a"], [8.0, 8.0])
    (cotangent,) = gp.vjp(f, primal)[1](1.0)
    np.testing.assert_array_equal(cotangent["a"], [8.0, 8.0])
    assert list(primal) == ["a"]


def test_what_a_traced_value_cannot_do_names_what_to_do_instead():
    for wrong, remedy in (
        (lambda x: x / 2, "multiply by 1 / c"),
        (lambda x: x**2, r"x \* x"),
        (lambda x: abs(x), "maximum"),
        (lambda x: x.sum(), "reduce_sum"),
        (lambda x: x.reshape(-1), "reshape"),
    ):
        with pytest.raises(gp.GraphError, match=remedy):
            gp.vjp(wrong, np.ones(2))
