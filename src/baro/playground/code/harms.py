"""Ways to make a program hard to read that leave what it does as it is (or very nearly): on its syntax tree.

Some make a program shorter, some longer, so that its length says nothing of how well it reads.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections import Counter
from collections.abc import Callable
from random import Random

Body = list[ast.stmt]
BUILT_IN = frozenset(dir(builtins))
Harm = Callable[[Body, Random], Body]


def names_of(nodes: Body) -> list[str]:
    """Names that the program itself gives: functions, parameters, variables; in the order they appear."""
    found: dict[str, None] = {}
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.FunctionDef):
                found[each.name] = None
                arguments = each.args
                found |= dict.fromkeys(a.arg for a in (*arguments.args, *arguments.kwonlyargs))
            elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                found[each.id] = None
    return [name for name in found if name not in BUILT_IN]


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg, node.annotation = self.names.get(node.arg, node.arg), None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns = self.names.get(node.name, node.name), None
        return self.generic_visit(node)


def _rename(nodes: Body, names: dict[str, str]) -> Body:
    return [_Renamed(names).visit(node) for node in copy.deepcopy(nodes)]


def letters(nodes: Body, roll: Random) -> Body:
    """Names of one letter, or two: shorter."""
    pool = [a + b for b in ("", *"123x") for a in "abcdefghklmnopqrstuvwxyz"]
    start = roll.randrange(12)
    return _rename(nodes, dict(zip(names_of(nodes), pool[start:], strict=False)))


def mumbled(nodes: Body, roll: Random) -> Body:
    """Long names that say nothing, all alike: longer."""
    parts = roll.choice((("tmp_value", "tmp_vaule"), ("the_thing", "that_thing"), ("data_obj", "obj_data", "dat_obj")))
    names = names_of(nodes)
    return _rename(
        nodes, {name: f"{roll.choice(parts)}_{number}{number * 7 % 10}" for number, name in enumerate(names)}
    )


def vowelless(nodes: Body, _: Random) -> Body:
    """Names without their vowels: shorter."""
    kept = {name: name[:1] + "".join(c for c in name[1:] if c not in "aeiou_") for name in names_of(nodes)}
    double = Counter(kept.values())
    return _rename(nodes, {n: k if double[k] == 1 else f"{k}{i}" for i, (n, k) in enumerate(kept.items())})


def gibberish(nodes: Body, roll: Random) -> Body:
    """Names of letters that mean nothing: shorter, for most programs."""
    made = ("".join(roll.choice("bcdfghjklmnpqrstvwxz") for _ in range(roll.randrange(3, 7))) for _ in range(1000))
    return _rename(nodes, dict(zip(names_of(nodes), dict.fromkeys(made), strict=False)))


def magic(nodes: Body, _: Random) -> Body:
    """Named constants become bare numbers: shorter."""
    nodes, values = copy.deepcopy(nodes), {}

    class Collect(ast.NodeTransformer):
        def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() as value) if name.isupper():
                    values[name] = value
                    return None
            return node

    class Inline(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return values.get(node.id, node)

    kept = [node for node in map(Collect().visit, nodes) if node is not None]
    return _filled([Inline().visit(node) for node in kept])


def puzzling(nodes: Body, roll: Random) -> Body:
    """Numbers as sums that come to the same: longer."""

    class Hide(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            if type(node.value) is not int or not 0 <= node.value < 1000:
                return node
            number, by = node.value, roll.randrange(2, 9)
            return ast.parse(f"({number // by} * {by} + {number % by})", mode="eval").body

    return [Hide().visit(node) for node in copy.deepcopy(nodes)]


def nested(nodes: Body, roll: Random) -> Body:
    """Everything inside conditions that always hold: longer."""
    nodes = copy.deepcopy(nodes)
    for function in (node for node in nodes if isinstance(node, ast.FunctionDef)):
        words = [argument.arg for argument in function.args.args] or ["True"]
        for _ in range(roll.randrange(2, 4)):
            word = roll.choice(words)
            test = roll.choice((f"{word} == {word}", f"not {word} is None", f"{word} is not None", "1 == 1"))
            otherwise = ast.parse("return None").body if roll.random() < 0.3 else []
            function.body = [ast.If(ast.parse(test, mode="eval").body, function.body, otherwise)]
    return nodes


def dead(nodes: Body, roll: Random) -> Body:
    """Statements that change nothing: longer."""
    number = roll.randrange(100)
    junk = [
        f"unused = {number}",
        "temp = 0\ntemp = temp + 1",
        f"if False:\n    print({number})",
        f"old_result = []\nold_result.append({number})",
        "debug = True\nif not debug:\n    debug = False",
        f"for unused_index in range(0):\n    print('{number}')",
        "flag = None\nflag = flag",
    ]
    nodes = copy.deepcopy(nodes)
    for body in _bodies(nodes):
        for _ in range(roll.randrange(1, 3) if body is not nodes else 0):
            place = roll.randrange(len(body) + 1) if not isinstance(body[-1], ast.Return) else roll.randrange(len(body))
            body[place:place] = ast.parse(roll.choice(junk)).body
    return nodes


def dense(nodes: Body, _: Random) -> Body:
    """A value that is named once and used once right after moves into the place of its use: shorter."""
    nodes = copy.deepcopy(nodes)
    uses = Counter(x.id for node in nodes for x in ast.walk(node) if isinstance(x, ast.Name))
    for body in _bodies(nodes):
        place = 0
        while place + 1 < len(body):
            match body[place]:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if uses[name] == 2 and _simple(
                    body[place + 1]
                ):
                    if any(isinstance(x, ast.Name) and x.id == name for x in ast.walk(body[place + 1])):
                        body[place + 1] = _Replaced(name, value).visit(body[place + 1])
                        del body[place]
                        continue
            place += 1
    return nodes


class _Replaced(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self.name, self.value = name, value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.value if node.id == self.name else node


def wordy(nodes: Body, _: Random) -> Body:
    """A truth given back by way of a flag and a condition, a sum in two steps: longer."""

    class Long(ast.NodeTransformer):
        def visit_Return(self, node: ast.Return) -> list[ast.stmt] | ast.stmt:
            if node.value is None or isinstance(node.value, ast.Name | ast.Constant):
                return node
            said = ast.unparse(node.value)
            if isinstance(node.value, ast.Compare | ast.BoolOp):
                text = f"flag = False\nif ({said}) == True:\n    flag = True\nelse:\n    flag = False\nreturn flag"
            else:
                text = f"answer1 = None\nanswer1 = {said}\nanswer2 = answer1\nreturn answer2"
            return ast.parse(text).body

        def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt] | ast.stmt:
            if not isinstance(node.target, ast.Name):
                return node
            step = ast.unparse(ast.BinOp(ast.Name("before"), node.op, node.value))
            return ast.parse(f"before = {node.target.id}\nafter = {step}\n{node.target.id} = after").body

    return [Long().visit(node) for node in copy.deepcopy(nodes)]


def _simple(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign | ast.Return | ast.Expr)


def _bodies(nodes: Body) -> list[Body]:
    """Every list of statements of the program, the outermost first."""
    found = [nodes]
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.FunctionDef | ast.For | ast.While | ast.If | ast.With | ast.Try):
                found.append(each.body)
            if isinstance(each, ast.For | ast.While | ast.If) and each.orelse:
                found.append(each.orelse)
    return found


def _filled(nodes: Body) -> Body:
    """No body is left empty."""
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.FunctionDef | ast.For | ast.While | ast.If) and not each.body:
                each.body = [ast.Pass()]
    return nodes


HARMS: dict[str, Harm] = {
    "letters": letters,
    "vowelless": vowelless,
    "gibberish": gibberish,
    "magic": magic,
    "dense": dense,
    "mumbled": mumbled,
    "puzzling": puzzling,
    "nested": nested,
    "dead": dead,
    "wordy": wordy,
}
