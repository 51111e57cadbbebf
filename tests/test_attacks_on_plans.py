"""Attacks on gradproof.compile: most of these once gave a wrong result, or an error that was not ours."""

import copy
import enum
import math
import pickle
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradproof as gp
from gradproof.plan import Plan
from gradproof_spec.link import plans
from gradproof_spec.obligations import Verdict


def draw(seed, *shape):
    return np.random.default_rng(seed).uniform(-2, 2, shape)


pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")

x, y = draw(1, 4), draw(2, 4)
X, Y = draw(1, 3, 4), draw(2, 3, 4)
S, T = draw(3, 3, 3), draw(4, 3, 3)
BIG = np.tile(np.array([np.nan, -0.0, 0.0, np.inf, -np.inf, 1, -1]), 1000)
f32 = x.astype(np.float32)


class Pair(NamedTuple):
    first: Any
    second: Any


class Mode(enum.StrEnum):
    A = "a"
    B = "b"


class ByStructure:
    """A callable whose attributes have the names of those of a Compiled."""

    def __init__(self):
        self.plans, self.donate, self.function = ["mine"], (0,), None

    def __call__(self, v):
        return v * 2


# ---------------------------------------------------------------- functions: (name, function, calls)
def element_is_a_number(v):
    z = v * 2
    s = z[0]
    s += 1
    return z, s


def element_is_read_at_once(v):
    z = v * 2
    s = z[0]
    z[0] = 5
    return z, s


def constant_is_changed_between_uses(v):
    mask = np.zeros(4)
    before = v + mask
    mask[0] = 1
    return before, v + mask


def views_of_a_copy_that_is_left_out(v):
    z = v * 2
    a, b = np.split(z.copy(), 2)
    return z + 1, a * 3, b - 1


def a_view_of_a_part(v):
    z = v * 2
    a, b = np.split(z, [1])
    return b[-1], a[0] * 2, b[::2]


def mean_into(v):
    z = np.zeros_like(v, shape=(3,))
    v.mean(axis=1, out=z)
    return z


def variance_into(v):
    z = np.zeros_like(v, shape=(4,))
    v.var(axis=0, out=z)
    return z


def a_number_that_grows(s, v):
    s += v
    return s


def a_division_by_zero_that_is_not_reached(v, n):
    return v / (1 / n) if v.sum() > 0 else v


def a_choice_that_is_not_reached(v, n):
    if v.sum() > 0 and 1 / n > 0.1:
        return v * n
    return v


def shallow_copy(v):
    z = v * 2
    c = copy.copy(z)
    c += 1
    return z, c


def deep_copy(v):
    z = v * 2
    c = copy.deepcopy(z)
    c += 1
    return z, c


def numbers_into_elements(v, n):
    z = np.zeros_like(v)
    z[0] = n
    z[1:] += n
    z[v > 1.5] = n
    return z


def swapped_elements(v):
    z = v * 2
    z[0], z[1] = z[1], z[0]
    a, b, *c = z
    a += 1
    return z, a, b, c


def backwards(v):
    z = v * 2
    z[::-1] += 1
    z[3:0:-1] = z[0:3]
    z[1:] = z[:-1]
    np.add(z[:-1], z[1:], out=z[1:])
    return z


def copies_that_are_written_into(v):
    z = v * 2
    c = z.copy()
    c[0] = 9
    z[1] = 8
    d = z.copy()
    z += 1
    return z, c, d


def equal_calls_that_are_written_into(v):
    a = v * 2
    b = v * 2
    b[0] = 1
    c = v * 2
    a += 1
    return a, b, c


def views_of_views(v):
    a = v * 2
    part = a[1:]
    every_other = part[::2]
    every_other += 1
    u = a[1:] * 3
    part *= 2.0
    return a, u, a[1:] * 3, every_other


def at(v, i):
    z = v * 2
    np.add.at(z, i, v[:3])
    np.put_along_axis(z, i, 9.0, 0)
    return z, z[i]


def outs(a, b):
    z, w, s = np.zeros_like(a), np.zeros_like(a), np.empty_like(a, shape=(2, 3, 4))
    np.einsum("ij,ij->ij", a, b, out=z)
    np.clip(a, -1, 1, out=w)
    np.stack([a, b], out=s)
    np.concatenate([b, a], out=s.reshape(6, 4))
    m = np.empty_like(a, shape=(3,))
    np.max(a, axis=1, out=m)
    return z, w, s, m


def a_number_that_is_rebound(v):
    s = v.sum()
    t = s
    s += 1
    u = v.sum(keepdims=True)
    w = u
    u *= 2
    return s, t, u, w


def copied_by_a_mask_without_a_name(v):
    z = np.zeros_like(v)
    np.copyto(z, v * 2, "same_kind", v > 0)
    return z


def a_transposed_result_is_written_into(v):
    z = v.T * 2
    rows = z.T.reshape(-1)  # a view: z is in the order of columns
    rows += 1
    return z, z.T


def a_transposed_result_in_a_donated_array(v):
    u = v + 1
    return (u.T * 2).T


inner = gp.compile(lambda v, n: v * n + 1)
inner(x, 2.0)
of_a_number = gp.compile(lambda n: n * 2.0 + np.ones(4))
of_a_number(1.0)

SAME = [
    ("array times traced", lambda w, v: gp.grad(lambda w: gp.reduce_sum(v * w))(w), [(x, y), (y, x), (x, x)]),
    ("array at traced", lambda w, v: gp.grad(lambda w: gp.reduce_sum(v @ w))(w), [(x, X), (y, Y)]),
    ("traced times array", lambda w, v: gp.grad(lambda w: gp.reduce_sum(w * v - v))(w), [(x, y), (y, x)]),
    ("element += 1", element_is_a_number, [(x,), (y,)]),
    ("element, then a write", element_is_read_at_once, [(x,), (y,)]),
    ("swap of elements", swapped_elements, [(x,), (y,)]),
    ("constant changed between uses", constant_is_changed_between_uses, [(x,), (y,)]),
    ("split of a copy", views_of_a_copy_that_is_left_out, [(x,), (y,)]),
    ("view of a part", a_view_of_a_part, [(x,), (y,)]),
    ("ravel F", lambda v: (v * 2).ravel("F"), [(X,), (Y,)]),
    ("flatten F", lambda v: (v * 2).flatten("F") + 1, [(X,), (Y,)]),
    ("reshape F", lambda v: (v * 2).reshape(4, 3, order="F") + 1, [(X,), (Y,)]),
    ("ravel K of a transpose", lambda v: (v * 2).T.ravel("K") + 1, [(X,), (Y,)]),
    ("float_power takes float64", lambda v: np.float_power(abs(v), 0.1), [(f32,)]),
    ("dtype=float64", lambda v: np.add(v, 0.1, dtype=np.float64), [(f32,)]),
    ("ldexp takes an int", lambda v: np.ldexp(v, 3), [(x,)]),
    ("mean of large ints", lambda v: v.mean(), [(np.full(3, 2**62),)]),
    ("mean of float16", lambda v: v.mean(), [(np.full(3000, 30, np.float16),)]),
    ("mean into", mean_into, [(X,), (Y,)]),
    ("mean where", lambda v: np.mean(v, where=v > 0), [(X,), (Y,)]),
    ("variance into", variance_into, [(X,), (Y,)]),
    ("a number that repeats", lambda v, n: np.repeat(v, n) * 2.0, [(x[:1], 2), (y[:1], 1), (x[:1], 3)]),
    ("a number in a shape", lambda v, n: (v * 2).reshape(n, -1).sum(axis=0), [(X, 2), (X, 3), (Y, 2)]),
    ("a number in a shape of an input", lambda v, n: v.reshape(n, -1).sum(axis=0) * 2, [(X, 2), (X, 1), (Y, 2)]),
    ("a number as an index", lambda v, n: (v * 2)[n] + 1, [(X, 2), (X, 1), (X, -3), (Y, 2)]),
    ("a number in a slice", lambda v, n: (v * 2)[:n] + v[1 : n + 1], [(x, 2), (x, 1), (y, 2)]),
    ("a number as an axis", lambda v, n: np.sum(v * v, axis=n), [(S, 1), (S, 0), (T, 1)]),
    ("a tuple in an index", lambda v: (v * 2)[((0, 1),)], [(X,), (Y,)]),
    ("a named tuple with a copy", lambda v: Pair(v.copy(), v * 1.0), [(x,), (y,)]),
    ("concatenate a named tuple", lambda v: np.concatenate(Pair(v, v * 2)), [(x,), (y,)]),
    ("a choice of nan", lambda v, n: v * math.sqrt(n), [(x, math.nan), (x, 2.0), (y, math.nan)]),
    ("a choice of -0.0", lambda v, n: v * math.copysign(1, n), [(x, 0.0), (x, -0.0), (y, 0.0)]),
    ("1 / 0 not reached", a_division_by_zero_that_is_not_reached, [(abs(x), 2.0), (-abs(x), 0.0), (-abs(x), 1.0)]),
    ("1 / 0 in a choice not reached", a_choice_that_is_not_reached, [(abs(x), 2.0), (-abs(x), 0.0)]),
    ("complex roots", lambda v, n: abs(v * n**0.5), [(x, 4.0), (x, -4.0), (y, 4.0)]),
    ("powers below one", lambda v, n: v * 2**n, [(np.arange(4), 3), (np.arange(4), -1), (np.arange(4), 4)]),
    ("np.array of a number", lambda v, n: v * np.array([n, 1.0, 2.0, 3.0]), [(x, 4.0), (x, 5.0)]),
    ("np.asarray of a number", lambda v, n: v * np.asarray(n), [(x, 4.0), (x, 5.0)]),
    ("str of a number", lambda v, n: v * {"4.0": 1, "5.0": 2}[str(n)], [(x, 4.0), (x, 5.0)]),
    ("format of a number", lambda v, n: v * float(f"{n:.1f}"), [(x, 4.04), (x, 5.26)]),
    ("round of a number", lambda v, n: v * round(n) + math.floor(n), [(x, 4.2), (x, 5.7)]),
    ("bits of a number", lambda v, n: v * (n & 1) + (n >> 1) + divmod(n, 3)[1], [(x, 4), (x, 5)]),
    ("numbers into elements", numbers_into_elements, [(x, 0.5), (x, 0.25), (y, 1.0)]),
    ("order of a dict", lambda d: np.stack([*d.values()]), [({"a": x, "b": y},), ({"b": x, "a": y},)]),
    ("an enum that is a str", lambda v, m: v * 2 if m == Mode.A else v, [(x, Mode.A), (x, Mode.B), (x, Mode.A)]),
    ("True and 1", lambda v, b: v * 3 if b is True else v + b, [(x, 1), (x, True), (x, 1.0), (x, np.int64(1))]),
    ("a NumPy number that grows", a_number_that_grows, [(np.float64(2), x), (np.float64(3), y)]),
    ("a sum that grows", a_number_that_is_rebound, [(x,), (y,)]),
    ("compiled in compiled", lambda v, n: inner(v, n) * 2, [(x, 2.0), (y, 3.0)]),
    ("compiled of a number in compiled", lambda v, n: of_a_number(n) * v, [(x, 2.0), (y, 3.0)]),
    ("copy.copy", shallow_copy, [(x,), (y,)]),
    ("copy.deepcopy", deep_copy, [(x,), (y,)]),
    ("where of one truth value", lambda v: np.where(True, v, 0.0), [(BIG,), (-BIG,)]),
    ("where of floats", lambda v: np.where(np.round(v), 1.0, v), [(BIG,), (-BIG,)]),
    ("where of nan and -0.0", lambda v: (np.where(v > 0, v, -0.0), np.where(v > 0, -0.0, v)), [(BIG,), (-BIG,)]),
    ("full_like with names", lambda v: np.full_like(v, fill_value=2.0) + v, [(BIG,)]),
    ("full_like of a value", lambda v: np.full_like(v, fill_value=v[0]) + v, [(x,), (y,)]),
    ("concatenate to float32", lambda v: np.concatenate([v, v * 2], dtype=np.float32), [(x,), (y,)]),
    ("clip from below", lambda v: v.clip(min=0), [(x,), (y,)]),
    ("sum of float64", lambda v: v.sum(0, np.float64), [(X.astype(np.float32),)]),
    ("split gives a list", lambda v: [*np.split(v, 2), v], [(x,), (y,)]),
    ("backwards", backwards, [(x,), (y,)]),
    ("copies written into", copies_that_are_written_into, [(x,), (y,)]),
    ("equal calls written into", equal_calls_that_are_written_into, [(x,), (y,)]),
    ("views of views", views_of_views, [(draw(1, 7),), (draw(2, 7),)]),
    ("add.at", at, [(x, np.array([0, 0, 1])), (y, np.array([3, 3, -1])), (x, np.array([0, 1, 2]))]),
    ("out=", outs, [(X, Y), (Y, X)]),
    ("copyto by a mask", copied_by_a_mask_without_a_name, [(x,), (y,)]),
    ("transposed and written into", a_transposed_result_is_written_into, [(draw(1, 20, 20),), (draw(2, 20, 20),)]),
    ("transposed into a donated array", a_transposed_result_in_a_donated_array, [(S,), (T,)]),
    ("powers", lambda v: (v**2, v**0.5, v**-1, v**3, v**1, v**0, v**1.5), [(BIG,), (f32,)]),
]


def plain(tree):
    """A result with NumPy's numbers as arrays, which compiled functions return."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(plain, tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(map(plain, tree))
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    return np.asarray(tree) if isinstance(tree, np.generic) else tree


def assert_same(got, want):
    """Bit for bit, but for the payload of a nan."""
    assert type(got) is type(want)
    if isinstance(want, dict):
        assert list(got) == list(want)
        got, want = list(got.values()), list(want.values())
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert_same(a, b)
    elif isinstance(want, np.ndarray):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(got, want)
        if want.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
    else:
        assert got == want or (got != got and want != want)


@pytest.mark.parametrize("donate", [False, True], ids=["kept", "donated"])
@pytest.mark.parametrize(("function", "calls"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_a_plan_computes_the_same(function, calls, donate):
    compiled = gp.compile(function, donate=tuple(range(len(calls[0]))) if donate else ())
    for arguments in calls + calls[::-1]:
        with np.errstate(all="ignore"):
            assert_same(compiled(*copy.deepcopy(arguments)), plain(function(*copy.deepcopy(arguments))))


# ---------------------------------------------------------------- memory
@pytest.mark.parametrize(
    "twice", [lambda z: z[::-1][::-1], lambda z: z.reshape(2, -1).reshape(-1), lambda z: z[:], lambda z: z.T.T]
)
def test_a_value_and_its_view_of_the_same_elements_are_two_results(twice):
    compiled = gp.compile(lambda v: (v * 2.0, twice(v * 2.0), twice(v)), donate=0)
    for seed in (1, 2):
        v = draw(seed, 300)
        results = compiled(v.copy())
        for result, want in zip(results, (v * 2, v * 2, v), strict=True):
            assert_same(result, want)
        assert not any(np.shares_memory(a, b) for k, a in enumerate(results) for b in results[:k])


def test_compiling_what_is_compiled_keeps_what_was_said_outside():
    donating = gp.compile(lambda v: v * 2.0, donate=0)
    donating(x.copy())
    v = x.copy()
    compiled = gp.compile(donating)
    compiled(v)
    assert_same(v, x)
    assert compiled.plans != donating.plans and compiled.donate == ()


def test_attributes_of_the_function_do_not_become_those_of_the_compiled():
    compiled = gp.compile(ByStructure())
    assert compiled.plans == [] and compiled.donate == ()
    assert_same(compiled(x), x * 2)


def test_names_in_a_source_are_different(monkeypatch):
    """An array of a loop over blocks, and one that is made in every run."""
    monkeypatch.setattr("gradproof.plan.blocks.LEAST", 1)
    monkeypatch.setattr("gradproof.plan.blocks.ELEMENTS", 2)

    def function(v, w):
        turned = v[None]
        return np.where(w > 0.1, w, w * 2), turned, (v.reshape(4, 1) * 0 + 1) * 0.5

    compiled = gp.compile(function)
    for a, b in ((x, y), (y, x)):
        assert_same(compiled(a, b), function(a, b))


def test_a_block_does_not_read_an_element_that_another_block_writes(monkeypatch):
    monkeypatch.setattr("gradproof.plan.blocks.LEAST", 2)
    monkeypatch.setattr("gradproof.plan.blocks.ELEMENTS", 2)

    def function(v):
        z = v * 2
        last = z[-1:]
        z += 1
        z *= 3
        return z * last, z

    compiled = gp.compile(function)
    for v in (x, y):
        assert_same(compiled(v), function(v))


# ---------------------------------------------------------------- refusals
CLOSED = np.zeros(4)


def write_an_element(v):
    CLOSED[0] = v[0]
    return CLOSED


def write_all(v):
    CLOSED[:] = v
    return CLOSED


def add_to_it(v):
    CLOSED.__iadd__(v)
    return CLOSED


def row_of_the_largest(v):
    z = v.reshape(2, 2) * 1.5
    row = z[z.sum(axis=1).argmax()]
    row += 1
    return z


def into_a_position(v):
    z = np.zeros_like(v)
    np.clip(v, 0.0, 1.0, z)
    return z


@dataclass
class Holder:
    array: Any


def assign(target, key, value):
    target[key] = value


def add_in_place(target, value):
    target += value
    return target


REFUSED = [
    ("float", lambda v: float(v.sum()), gp.GraphError),
    ("int", lambda v: int(v.sum()), gp.GraphError),
    ("item", lambda v: v.item(), gp.GraphError),
    ("math", lambda v: math.exp(v[0]), gp.GraphError),
    ("range", lambda v: sum(range(v.argmax())), gp.GraphError),
    ("asarray", lambda v: np.asarray(v) + 1, gp.GraphError),
    ("array of elements", lambda v: np.array([v[0], v[1]]), gp.GraphError),
    ("a mask", lambda v: v[v > 0], gp.GraphError),
    ("a constant mask", lambda v: v[np.array([True, False, True, True])], gp.GraphError),
    ("one array for where", lambda v: v[np.where(v > 0)[0]] * 2.0, gp.GraphError),
    ("repeats that are values", lambda v: np.repeat(v, (v > 0).astype(int)), gp.GraphError),
    ("an element outside", write_an_element, gp.GraphError),
    ("an array outside", write_all, gp.GraphError),
    ("+= outside", add_to_it, gp.GraphError),
    ("out= outside", lambda v: np.add(v, 1, out=CLOSED), gp.GraphError),
    ("writing into an argument", lambda v: assign(v, 0, 1), gp.GraphError),
    ("+= an argument", lambda v: add_in_place(v, 1), gp.GraphError),
    ("a view where a value says", row_of_the_largest, gp.GraphError),
    ("out without its name", into_a_position, gp.GraphError),
    ("fft", lambda v: np.fft.fft(v), gp.GraphError),
    ("unique", lambda v: np.unique(v), gp.GraphError),
    ("inv", lambda v: np.linalg.inv(v.reshape(2, 2)), gp.GraphError),
    ("sort in place", lambda v: (v * 2).sort(), gp.GraphError),
    ("another view", lambda v: v.view(np.int64), gp.GraphError),
    ("an object array", lambda v: v * np.array([1, 2, 3, None]), gp.GraphError),
    ("to objects", lambda v: v.astype(object), gp.GraphError),
    ("a ufunc of Python's", lambda v: np.frompyfunc(lambda e: e + 1, 1, 1)(v), gp.GraphError),
    ("a masked array", lambda v: v + np.ma.array([1.0, 2, 3, 4], mask=[0, 1, 0, 1]), gp.GraphError),
    ("a matrix", lambda v: v * np.matrix(np.ones((4, 4))), gp.GraphError),
    ("pickle", lambda v: pickle.dumps(v * 2), gp.GraphError),
    ("the first argument named", lambda v: np.sum(a=v), gp.GraphError),
    ("a dataclass as result", lambda v: Holder(v * 2), gp.GraphError),
    ("a pullback as result", lambda v: gp.vjp(lambda w: w * w, v), gp.GraphError),
    ("a generator as result", lambda v: (e for e in v), gp.GraphError),
]


@pytest.mark.parametrize(("function", "error"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused_with_an_error_of_ours(function, error):
    compiled = gp.compile(function)
    before = CLOSED.copy()
    for v in (x.copy(), y.copy()):
        given = v.copy()
        with pytest.raises(error, match=r"^compile: .*; .*\.$") as caught:
            compiled(v)
        assert type(caught.value) is not ValueError and issubclass(type(caught.value), gp.GradproofError)
        assert_same(v, given)
    assert_same(CLOSED, before)
    assert compiled.plans == []


@pytest.mark.parametrize(
    "argument",
    [np.array([None, 1]), np.array(["a"]), 1j, Holder(x), np.exp, np.ma.array([1.0, 2]), {1, 2}],
    ids=lambda argument: type(argument).__name__,
)
def test_an_argument_that_is_no_array_is_refused(argument):
    with pytest.raises(gp.DtypeError, match="compile: an argument"):
        gp.compile(lambda v: v)(argument)


LEAKED = []


def leaking(v, n):
    LEAKED[:] = [v * 2, n * 2, n, v]
    return v


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("fails", [False, True], ids=["returned", "raised"])
@pytest.mark.parametrize(
    "use",
    [
        lambda leaked: leaked + 1, lambda leaked: np.add(leaked, x), lambda leaked: x * leaked, float, np.asarray, bool,
        gp.compile(lambda v: v * LEAKED[0] + LEAKED[1]), lambda leaked: gp.add(x, leaked), lambda leaked: leaked > 0,
    ],
)  # fmt: skip
def test_a_value_that_has_left_its_function_is_of_no_use(which, use, fails):
    def function(v, n):
        leaking(v, n)
        return v[:, :, :] if fails else v

    if fails:
        with pytest.raises(IndexError):
            gp.compile(function)(x, 2.0)
    else:
        gp.compile(function)(x, 2.0)
    with pytest.raises(gp.GraphError, match=r"compile: (a value of a function|.* cannot be recorded)"):
        use(x if type(use).__name__ == "Compiled" else LEAKED[which])


# ---------------------------------------------------------------- proofs
def planned(source, *arguments, donate=()):
    """The plan of x -> (2 x, c x) on two arguments, with another source."""
    plan = gp.compile(lambda v, w: (v * 2.0, w * np.array([1.0, 2.0])), donate=donate).plan(np.ones(2), np.ones(2))
    other = Plan(plan.kind, source(plan.source), plan._source)
    return plans.on_symbols(other, [plans.symbols("v", (2,)), plans.symbols("w", (2,))])


def test_a_plan_that_writes_into_an_input_that_is_not_donated_is_not_proved():
    planned(lambda text: text)
    writing = lambda text: text.replace("    return", "    a1[...] = a0\n    return")  # noqa: E731
    with pytest.raises(ValueError, match="read-only"):
        planned(writing)
    with pytest.raises(ValueError, match="read-only"):
        planned(writing, donate=(0,))
    planned(writing, donate=(0, 1))


def test_a_plan_that_writes_into_a_constant_or_gives_it_away_is_not_proved():
    plan = gp.compile(lambda v, w: (v * 2.0, w * np.array([1.0, 2.0]))).plan(np.ones(2), np.ones(2))
    (constant,) = [name for name, how in plan._source.fixed if isinstance(how, np.ndarray)]
    with pytest.raises(ValueError, match="read-only"):
        planned(lambda text: text.replace("    return", f"    {constant}[...] = 0\n    return"))
    with pytest.raises(plans.NotOwn):
        planned(lambda text: text.rsplit("    return", 1)[0] + f"    return ({constant}, {constant})\n")


def test_an_op_whose_plan_fits_no_symbols_is_vacuous(monkeypatch):
    monkeypatch.setattr(plans, "on_symbols", lambda *_: plans.ANOTHER)
    assert plans.prove_op("mul").verdict is Verdict.VACUOUS


def test_a_function_that_looks_at_the_class_is_not_proved():
    outcome = plans.verify_plan(lambda v: v + 1.0 if type(v) is np.ndarray else v * 3.0, x)
    assert outcome.verdict is Verdict.REFUTED and "differ on the example" in outcome.message


PROVED = ["element += 1", "element, then a write", "split of a copy", "view of a part", "ravel F", "flatten F",
          "reshape F", "copies written into", "equal calls written into", "views of views", "backwards",
          "swap of elements", "copy.copy"]  # fmt: skip


@pytest.mark.parametrize(("name", "function", "calls"), [case for case in SAME if case[0] in PROVED])
def test_what_was_wrong_is_proved_now(name, function, calls):
    outcome = plans.verify_plan(function, *calls[0], donate=0)
    assert outcome.verdict is Verdict.PROVED, outcome.message
