"""Terms as text and as LaTeX. What is printed is what is proved: both walk the same term."""
from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .terms import ONE, Condition, Index, Scalar, Term, conjuncts, to_index

ONE_MORE = to_index(1)

SUM, PRODUCT, ATOM = 1, 2, 3  # how tightly an expression binds


class TextStyle:
    dot, minus, less, less_equal, unequal, and_, or_ = "·", "-", "<", "≤", "≠", " and ", " or "

    def name(self, n: str) -> str:
        return n

    def access(self, name: str, indices: list[str]) -> str:
        return f"{name}[{','.join(indices)}]" if indices else name

    def fraction(self, a: str, b: str) -> str:
        return f"{a}/{b}"

    def floor_divide(self, a: str, b: str) -> str:
        return f"{a} // {b}"

    def modulo(self, a: str, b: str) -> str:
        return f"{a} mod {b}"

    def function(self, name: str, x: str) -> str:
        return f"{name}({x})"

    def constant(self, name: str) -> str:
        return {"pi": "π"}[name]

    def parentheses(self, x: str) -> str:
        return f"({x})"

    def guard(self, c: str) -> str:
        return f"[{c}]"

    def sum(self, binders: list[tuple[str, str]], body: str) -> str:
        return f"Σ_{{{', '.join(f'{v}<{n}' for v, n in binders)}}} {body}"

    def where(self, c: str, a: str, b: str) -> str:
        return f"({a} if {c} else {b})"

    def not_(self, c: str) -> str:
        return f"not ({c})"


class LatexStyle(TextStyle):
    dot, less_equal, unequal = r"\,", r"\le", r"\ne"
    and_, or_ = r" \wedge ", r" \vee "

    def name(self, n: str) -> str:
        if len(n) == 1:
            return n
        escaped = n.replace("_", r"\_")
        return rf"d\mathit{{{escaped[1:]}}}" if n[0] == "d" and len(n) > 2 else rf"\mathit{{{escaped}}}"

    def access(self, name: str, indices: list[str]) -> str:
        return f"{name}_{{{','.join(indices)}}}" if indices else name

    def fraction(self, a: str, b: str) -> str:
        return rf"\frac{{{a}}}{{{b}}}"

    def floor_divide(self, a: str, b: str) -> str:
        return rf"\lfloor {a} / {b} \rfloor"

    def modulo(self, a: str, b: str) -> str:
        return rf"{a} \bmod {b}"

    def function(self, name: str, x: str) -> str:
        if name == "sqrt":
            return rf"\sqrt{{{x}}}"
        return rf"\operatorname{{{name}}}\left({x}\right)" if name == "erf" else rf"\{name}\left({x}\right)"

    def constant(self, name: str) -> str:
        return rf"\{name}"

    def parentheses(self, x: str) -> str:
        return rf"\left({x}\right)"

    def guard(self, c: str) -> str:
        return rf"\left[{c}\right]"

    def sum(self, binders: list[tuple[str, str]], body: str) -> str:
        return "".join(rf"\sum_{{{v}<{n}}}" for v, n in binders) + " " + body

    def where(self, c: str, a: str, b: str) -> str:
        return rf"\begin{{cases}}{a} & {c}\\{b} & \text{{else}}\end{{cases}}"

    def not_(self, c: str) -> str:
        return rf"\neg({c})"


class Printer:
    def __init__(self, style: TextStyle) -> None:
        self.style = style
        self.bound: dict[str, str] = {}

    def __call__(self, t: Term) -> str:
        return self.expression(t)[0]

    def expression(self, t: Term) -> tuple[str, int]:
        if isinstance(t, Index):
            return self._index(t)
        if isinstance(t, Condition):
            return self._condition(t), ATOM
        assert isinstance(t, Scalar)
        return self._scalar(t)

    def at_least(self, t: Term, level: int) -> str:
        text, own = self.expression(t)
        return text if own >= level else self.style.parentheses(text)

    def _name(self, n: str) -> str:
        return self.style.name(self.bound.get(n, n.split("#")[0]))

    def _index(self, t: Index) -> tuple[str, int]:
        a = t.args
        if t.op == "constant":
            return str(a[0]), ATOM if a[0] >= 0 else SUM
        if t.op == "variable":
            return self._name(a[0]), ATOM
        if t.op == "apply":
            return self.style.access(self.style.name(a[0]), [self(i) for i in a[1:]]), ATOM
        if t.op == "+":
            return self._difference(t, lambda x: x.op == "constant" and x.args[0] < 0)
        if t.op == "*":
            if a[0].op == "constant" and a[0].args[0] == -1:
                return f"{self.style.minus}{self.at_least(a[1], PRODUCT)}", SUM
            return f"{self.at_least(a[0], PRODUCT)}{self.style.dot}{self.at_least(a[1], PRODUCT)}", PRODUCT
        form = self.style.floor_divide if t.op == "//" else self.style.modulo
        return form(self.at_least(a[0], PRODUCT), self.at_least(a[1], ATOM)), PRODUCT

    def _difference(self, t: Term, negative_number: Any) -> tuple[str, int]:
        left, right = t.args
        if negative_number(right):
            return f"{self(left)} {self.style.minus} {-right.args[0]}", SUM
        if right.op in ("*", "mul") and right.args[0].op in ("constant", "number") and right.args[0].args[0] == -1:
            return f"{self(left)} {self.style.minus} {self.at_least(right.args[1], PRODUCT)}", SUM
        return f"{self(left)} + {self(right)}", SUM

    def _condition(self, t: Condition) -> str:
        s, a = self.style, t.args
        if t.op in ("true", "false"):
            return t.op
        if t.op == "and":
            return s.and_.join(self._conjuncts(conjuncts(t)))
        if t.op == "or":
            return s.or_.join(map(self, a))
        if t.op == "not":
            c = a[0]
            if c.op in ("index==", "value=="):
                return f"{self(c.args[0])} {s.unequal} {self(c.args[1])}"
            if c.op in ("value<", "value<="):
                return f"{self(c.args[1])} {s.less_equal if c.op == 'value<' else s.less} {self(c.args[0])}"
            return s.not_(self(c))
        if t.op == "index<=":
            below = _below(t)
            if below is not None:
                return f"{self(below)} {s.less} {self(a[1])}"
            return f"{self(a[0])} {s.less_equal} {self(a[1])}"
        relation = {"index==": "=", "value==": "=", "value<": s.less, "value<=": s.less_equal}[t.op]
        return f"{self(a[0])} {relation} {self(a[1])}"

    def _conjuncts(self, parts: list[Condition]) -> Iterator[str]:
        """The parts of a conjunction; 0 ≤ e and e < H beside each other are 0 ≤ e < H."""
        s, i = self.style, 0
        while i < len(parts):
            p, following = parts[i], parts[i + 1 : i + 2]
            if p.op == "index<=" and following and _below(following[0]) == p.args[1]:
                yield f"{self(p.args[0])} {s.less_equal} {self(p.args[1])} {s.less} {self(following[0].args[1])}"
                i += 2
            else:
                yield s.parentheses(self(p)) if p.op == "or" else self(p)
                i += 1

    def _scalar(self, t: Scalar) -> tuple[str, int]:
        s, a = self.style, t.args
        if t.op == "number":
            return self._number(a[0])
        if t.op == "integer":
            return self._index(a[0])
        if t.op == "access":
            return s.access(s.name(a[0]), [self(i) for i in a[1:]]), ATOM
        if t.op == "add":
            return self._difference(t, lambda x: x.op == "number" and x.args[0] < 0)
        if t.op == "mul":
            return self._product(a[0], a[1])
        if t.op == "reciprocal":
            return s.fraction("1", self.at_least(a[0], ATOM)), PRODUCT
        if t.op == "function":
            return s.function(a[0], self(a[1])), ATOM
        if t.op == "constant":
            return s.constant(a[0]), ATOM
        if t.op == "indicator":
            return s.guard(self(a[0])), ATOM
        if t.op == "where":
            return s.where(*map(self, a)), ATOM
        return self._sum(t), SUM

    def _number(self, q: Fraction) -> tuple[str, int]:
        if q.denominator == 1:
            return str(q.numerator), ATOM if q >= 0 else SUM
        text = self.style.fraction(str(abs(q.numerator)), str(q.denominator))
        return (text, PRODUCT) if q > 0 else (f"{self.style.minus}{text}", SUM)

    def _product(self, a: Scalar, b: Scalar) -> tuple[str, int]:
        s = self.style
        if a.op == "number" and a.args[0] == -1:
            return f"{s.minus}{self.at_least(b, PRODUCT)}", SUM
        if a == ONE:
            return self.expression(b)
        if b.op == "reciprocal":
            return s.fraction(self.at_least(a, PRODUCT), self.at_least(b.args[0], ATOM)), PRODUCT
        return f"{self.at_least(a, PRODUCT)}{s.dot}{self.at_least(b, PRODUCT)}", PRODUCT

    def _sum(self, t: Scalar) -> str:
        binders, body = [], t
        outer = dict(self.bound)
        while body.op == "sum":
            name, extent, inner = body.args
            short = name.split("#")[0]
            while short in self.bound.values() or (short in self.free and name not in self.bound):
                short += "'"
            binders.append((name, short, self(extent)))
            self.bound[name] = short
            body = inner
        text = self.style.sum([(self.style.name(short), n) for _, short, n in binders], self.at_least(body, PRODUCT))
        self.bound = outer
        return text

    free: frozenset[str] = frozenset()


def _below(c: Condition) -> Index | None:
    """e if c is e + 1 ≤ n, that is e < n."""
    if c.op == "index<=":
        left: Index = c.args[0]
        if left.op == "+" and left.args[1] == ONE_MORE:
            below: Index = left.args[0]
            return below
    return None


def _print(t: Term, style: TextStyle) -> str:
    from .terms import free_variables

    printer = Printer(style)
    printer.free = frozenset(n.split("#")[0] for n in free_variables(t))
    return printer(t)


def to_text(t: Term) -> str:
    return _print(t, TextStyle())


def to_latex(t: Term) -> str:
    return _print(t, LatexStyle())
