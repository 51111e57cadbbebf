"""check, its command and its pytest face: what is said of right, wrong, undecided and meaningless questions."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradproof_spec import CheckError, check, checked
from gradproof_spec.gradient_check.files import read_numbers, read_ranges, read_shapes
from gradproof_spec.obligations import Verdict
from gradproof_spec.testing import assert_gradient


def cube(x):
    return x**3


def cube_backward(g, x):
    return 3 * g * x**2


def cube_forgets_a_factor(g, x):
    return 3 * g * x


def test_a_right_gradient_is_proved():
    result = check(cube, cube_backward, shapes={"x": (2,)})
    assert result
    assert result.verdict is Verdict.PROVED
    assert result.over == "all reals at the shapes x (2,), all paths"
    assert (result.counterexample, result.assumptions, result.script) == ({}, (), "")


def test_a_wrong_one_is_refuted_with_an_input_that_shows_it():
    result = check(cube, cube_forgets_a_factor, shapes={"x": (2,)})
    assert not result
    x, g = result.counterexample["x"], result.counterexample["g"]
    assert not np.allclose(cube_forgets_a_factor(g, x), cube_backward(g, x))
    lines = result.message.splitlines()
    assert lines[0] == "REFUTED  cube"
    assert lines[2].startswith("  gx[")
    assert "must be" in lines[2]
    assert "counterexample" in result.message
    assert "exact" in result.script


def test_ties_are_left_out_only_where_the_forward_is_not_differentiable():
    relu = check(lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0), shapes={"x": ()})
    assert relu
    assert any(line.startswith("off the tie") for line in relu.assumptions)

    def squared(x):
        return np.maximum(x, 0) ** 2

    assert check(squared, lambda g, x: 2 * g * np.maximum(x, 0), shapes={"x": ()}).assumptions == ()
    wrong = check(squared, lambda g, x: np.where(x == 0, g, 2 * g * np.maximum(x, 0)), shapes={"x": ()})
    assert wrong.verdict is Verdict.REFUTED
    assert wrong.counterexample["x"] == 0


def test_what_is_wrong_far_away_only_is_found():
    clipped = check(cube, lambda g, x: 3 * g * np.clip(x, -1e5, 1e5) ** 2, shapes={"x": ()})
    assert clipped.verdict is Verdict.REFUTED
    assert abs(clipped.counterexample["x"]) > 1e5


def test_nan_where_the_derivative_is_finite_is_refuted_over_floats():
    def backward(g, x):
        return g * np.exp(x) / (1 + np.exp(x))

    result = check(lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), backward, shapes={"x": ()})
    assert result.verdict is Verdict.REFUTED
    assert result.over == "a float input"


def test_parameters_are_exact_or_universal():
    def scaled(x, c):
        return c * x / (x * x + c)

    def backward(g, x, c):
        return g * c * (c - x * x) / (x * x + c) ** 2

    assert check(scaled, backward, shapes={"x": ()}, params={"c": 0.25})
    universal = check(scaled, backward, shapes={"x": ()}, params={"c": "positive"})
    assert universal
    assert "c is any positive real number" in universal.assumptions

    def of_one(g, x, c):
        return g * (1 - x * x) / (x * x + 1) ** 2

    only_one = check(scaled, of_one, shapes={"x": ()}, params={"c": "positive"})
    assert only_one.verdict is Verdict.REFUTED


def test_integers_are_tried_at_all_their_values():
    def gather(x, i):
        return x[i]

    def lost_repeats(g, x, i):
        gx = np.zeros_like(x)
        gx[i] += g
        return gx

    def added(g, x, i):
        gx = np.zeros_like(x)
        np.add.at(gx, i, g)
        return gx

    question = {"shapes": {"x": (3,), "i": (2,)}, "integers": {"i": (0, 3)}}
    assert check(gather, added, **question)
    wrong = check(gather, lost_repeats, **question)
    assert wrong.verdict is Verdict.REFUTED
    assert wrong.counterexample["i"][0] == wrong.counterexample["i"][1]


def test_domains():
    def log(x):
        return np.log(x)

    assert check(log, lambda g, x: g / x, shapes={"x": (2,)}, domain=lambda x: x > 0)
    free = check(log, lambda g, x: g / x, shapes={"x": ()})
    assert free
    assert any("where the forward is defined" in line for line in free.assumptions)
    nowhere = check(log, lambda g, x: g / x, shapes={"x": ()}, domain=lambda x: [x > 1, x < 0])
    assert nowhere.verdict is Verdict.VACUOUS


def test_a_jvp_and_a_residual_pair():
    assert check(cube, jvp=lambda primals, tangents: 3 * primals[0] ** 2 * tangents[0], shapes={"x": (2,)})
    assert not check(cube, jvp=lambda primals, tangents: 3 * primals[0] * tangents[0], shapes={"x": (2,)})

    def forward(x):
        y = np.exp(x)
        return y, y

    assert check(forward, lambda y, g: g * y, shapes={"x": (2,)}, residuals=True)


def test_a_surrogate_is_named():
    def sign(x):
        return np.sign(x)

    def straight_through(g, x):
        return g

    assert not check(sign, straight_through, shapes={"x": (2,)})

    def identity(x):
        return x

    meant = check(sign, straight_through, shapes={"x": (2,)}, surrogate=identity)
    assert meant
    assert "the derivative is that of the surrogate identity" in meant.assumptions


@pytest.mark.parametrize(
    ("backward", "what"),
    [
        (lambda g, x: (g * x).sum(), "gx has shape (), must have (2,)."),
        (lambda g, x: None, "gx is None but must be an array of shape (2,)."),
        (lambda g, x: (g, g), "it returns 2 cotangents for 1 float arguments"),
    ],
    ids=["shape", "none", "count"],
)
def test_what_is_no_cotangent_is_refuted(backward, what):
    result = check(cube, backward, shapes={"x": (2,)})
    assert result.verdict is Verdict.REFUTED
    assert what in result.message


def test_what_is_not_modelled_is_named():
    result = check(np.linalg.svd, lambda g, x: 0 * x, shapes={"x": (2, 2)})
    assert result.verdict is Verdict.UNSUPPORTED
    assert "np.svd" in result.message


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ({"shapes": {}}, "shapes must be a dict"),
        ({"shapes": {"x": [2]}}, "is no tuple of extents"),
        ({"shapes": {"x": ("N M",)}}, "is no tuple of extents"),
        ({"shapes": {"x": (2,)}, "integers": {"y": (0, 2)}}, "give (low, high)"),
        ({"shapes": {"x": (2,)}, "jvp": cube}, "not both"),
        ({"shapes": {"x": (2,)}, "domain": lambda x: x}, "return conditions"),
    ],
    ids=["none", "list", "named", "integers", "both", "domain"],
)
def test_a_question_without_sense_is_an_error(question, what):
    with pytest.raises(CheckError, match=what.replace("(", r"\(").replace(")", r"\)")):
        check(cube, cube_backward, **question)


def test_the_forward_alone():
    assert check(cube, shapes={"x": (2,)})
    assert any("log" in line for line in check(np.log, shapes={"x": ()}).assumptions)


def test_assert_gradient():
    assert_gradient(cube, cube_backward, shapes={"x": (2,)})
    with pytest.raises(pytest.fail.Exception, match="REFUTED  cube"):
        assert_gradient(cube, cube_forgets_a_factor, shapes={"x": (2,)})


def test_checked_marks_and_returns_the_function():
    marked = checked(vjp=cube_backward, shapes={"x": (2,)})(cube)
    assert marked is cube
    del cube.__gradient_check__
    with pytest.raises(CheckError, match="needs shapes"):
        checked(vjp=cube_backward)


FILE = '''
import gradproof_spec

def back(g, x):
    return 2 * g * x

@gradproof_spec.checked(vjp=back, shapes={"x": (2,)})
def square(x):
    return x * x

def cube(x):
    return x ** 3

CHECKS = [{"forward": cube, "vjp": lambda g, x: 3 * g * x ** 2, "shapes": {"x": (2,)}}]
'''


def command(tmp_path, *arguments, text=FILE):
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    program = Path(sys.executable).with_name("gradproof")
    return subprocess.run([program, "check", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)


def test_the_command_checks_a_file(tmp_path):
    done = command(tmp_path, "mine.py")
    assert done.returncode == 0, done.stderr
    proved = [line for line in done.stdout.splitlines() if line.startswith("PROVED")]
    assert proved == ["PROVED  square", "PROVED  cube"]


def test_the_command_checks_one_function_and_gives_json(tmp_path):
    done = command(tmp_path, "mine.py:cube", "--vjp", "back", "--shapes", "x=2", "--json")
    assert done.returncode == 1
    record = json.loads(done.stdout)
    assert record["verdict"] == "REFUTED"
    assert set(record["counterexample"]) == {"x", "g"}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("none.py",), "there is no file none.py"),
        (("mine.py:cube", "--vjp", "back"), "--shapes is needed"),
        (("mine.py:other", "--shapes", "x=2"), "there is no function 'other'"),
        (("mine.py:cube", "--shapes", "x=2y"), "is no shape"),
    ],
)
def test_wrong_usage_ends_with_3(tmp_path, arguments, what):
    done = command(tmp_path, *arguments)
    assert done.returncode == 3
    assert what in done.stderr


def test_reading_options():
    assert read_shapes("x=2x3,s=") == {"x": (2, 3), "s": ()}
    assert read_numbers(("eps=1e-5", "k=3", "c=real")) == {"eps": 1e-5, "k": 3, "c": "real"}
    assert read_ranges(("i=-1:4",)) == {"i": (-1, 4)}
    for read, wrong in ((read_numbers, ("eps=a",)), (read_ranges, ("i=3",))):
        with pytest.raises(CheckError):
            read(wrong)
