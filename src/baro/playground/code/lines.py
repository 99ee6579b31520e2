"""Programs as lines: the same syntax tree written in Python, or with braces the way Java and its relatives are.

What is written with braces is meant to be read, not compiled: names, spacing, nesting and line ends are those of such
languages, types are guesses.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Line:
    """One statement and what stands inside it.

    Attributes:
        text: without indentation and without the brace or colon that opens its body.
        body: None for a simple statement.
        comment: a line that says something to people only, without its mark.
        follows: goes on where the last one closed (else, elif).
    """

    text: str = ""
    body: list[Line] | None = None
    comment: bool = False
    follows: bool = False


@dataclass(frozen=True)
class Language:
    """How statements are written.

    Attributes:
        statement: a simple statement → its text. header: a compound one → the texts that open its bodies.
        mark: of a comment. end: behind a simple statement. opens, closes: a body.
    """

    name: str
    statement: Callable[[ast.stmt], str]
    header: Callable[[ast.stmt], list[tuple[str, list[ast.stmt]]]]
    mark: str
    end: str
    opens: str
    closes: str


def lines_of(nodes: list[ast.stmt], language: Language) -> list[Line]:
    """The statements, one line each, compound ones with their bodies."""
    found = []
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            said = " ".join(node.value.value.split(">>>")[0].split())
            found += [Line(said[:90], comment=True)] if said else []
        elif isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.If | ast.With | ast.Try):
            for number, (text, body) in enumerate(language.header(node)):
                found.append(Line(text, lines_of(body, language), follows=number > 0))
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            found.append(Line(language.statement(node)))
    return found


def _python_header(node: ast.stmt) -> list[tuple[str, list[ast.stmt]]]:
    match node:
        case ast.FunctionDef():
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            return [(f"def {node.name}({ast.unparse(node.args)}){returns}", node.body)]
        case ast.For():
            return [(f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}", node.body)]
        case ast.While():
            return [(f"while {ast.unparse(node.test)}", node.body)]
        case ast.If():
            return _branches(node, lambda word, test: f"{word} {ast.unparse(test)}", ("if", "elif", "else"))
        case ast.With():
            return [(f"with {', '.join(map(ast.unparse, node.items))}", node.body)]
        case ast.Try():
            caught = [("except " + (ast.unparse(h.type) if h.type else "Exception"), h.body) for h in node.handlers]
            return [("try", node.body), *caught]
    raise TypeError(type(node).__name__)


def _branches(node: ast.If, condition, words: tuple[str, str, str]) -> list[tuple[str, list[ast.stmt]]]:
    first, then, last = words
    found = [(condition(first, node.test), node.body)]
    rest = node.orelse
    while len(rest) == 1 and isinstance(rest[0], ast.If):
        found.append((condition(then, rest[0].test), rest[0].body))
        rest = rest[0].orelse
    return found + ([(last, rest)] if rest else [])


PYTHON = Language("python", ast.unparse, _python_header, "# ", "", ":", "")


# --- with braces -----------------------------------------------------------------------------------------------------

SIGNS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "/", ast.Mod: "%", ast.BitAnd: "&",
    ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<",
    ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "==", ast.IsNot: "!=", ast.And: "&&", ast.Or: "||",
    ast.Not: "!", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
}  # fmt: skip
WORDS = {"True": "true", "False": "false", "None": "null", "self": "this"}
CALLS = {"print": "System.out.println", "str": "String.valueOf", "int": "Integer.parseInt", "abs": "Math.abs",
         "max": "Math.max", "min": "Math.min", "sorted": "sorted"}  # fmt: skip
METHODS = {"append": "add", "lower": "toLowerCase", "upper": "toUpperCase", "startswith": "startsWith", "strip": "trim",
           "items": "entrySet", "keys": "keySet", "find": "indexOf"}  # fmt: skip
LOOSE = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda)


def camel(name: str) -> str:
    """find_last_word → findLastWord; a name in capitals stays."""
    if name.isupper():
        return name
    first, *rest = [part for part in name.split("_") if part] or [name]
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _expression(node: ast.expr) -> str:
    say = _expression
    match node:
        case ast.Name():
            return WORDS.get(node.id, camel(node.id))
        case ast.Constant():
            if isinstance(node.value, str):
                return '"' + node.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
            return WORDS.get(repr(node.value), repr(node.value))
        case ast.BinOp(op=ast.Pow()):
            return f"Math.pow({say(node.left)}, {say(node.right)})"
        case ast.BinOp():
            return f"{_inner(node.left)} {SIGNS.get(type(node.op), '*')} {_inner(node.right)}"
        case ast.BoolOp():
            return f" {SIGNS[type(node.op)]} ".join(map(_inner, node.values))
        case ast.UnaryOp():
            return SIGNS[type(node.op)] + _inner(node.operand)
        case ast.Compare():
            return _compare(node)
        case ast.IfExp():
            return f"{_inner(node.test)} ? {say(node.body)} : {say(node.orelse)}"
        case ast.Call():
            return _call(node)
        case ast.Attribute():
            return f"{say(node.value)}.{METHODS.get(node.attr, camel(node.attr))}"
        case ast.Subscript(slice=ast.Slice() as cut):
            ends = [say(cut.lower) if cut.lower else "0", *([say(cut.upper)] if cut.upper else [])]
            return f"{say(node.value)}.subList({', '.join(ends)})"
        case ast.Subscript():
            return f"{say(node.value)}[{say(node.slice)}]"
        case ast.List(elts=[]):
            return "new ArrayList<>()"
        case ast.Dict(keys=[]):
            return "new HashMap<>()"
        case ast.List() | ast.Tuple() | ast.Set():
            return f"List.of({', '.join(map(say, node.elts))})"
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
            return _stream(node)
        case ast.Lambda():
            return f"({', '.join(camel(a.arg) for a in node.args.args)}) -> {say(node.body)}"
        case ast.Starred():
            return say(node.value)
    return ast.unparse(node).replace("'", '"')


def _inner(node: ast.expr) -> str:
    return f"({_expression(node)})" if isinstance(node, LOOSE) else _expression(node)


def _compare(node: ast.Compare) -> str:
    parts, left = [], node.left
    for sign, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(sign, ast.In | ast.NotIn):
            parts.append(f"{'!' * isinstance(sign, ast.NotIn)}{_inner(right)}.contains({_expression(left)})")
        else:
            parts.append(f"{_inner(left)} {SIGNS[type(sign)]} {_inner(right)}")
        left = right
    return " && ".join(parts)


def _call(node: ast.Call) -> str:
    said = [_expression(argument) for argument in node.args] + [_expression(word.value) for word in node.keywords]
    if isinstance(node.func, ast.Name):
        if node.func.id == "len" and len(said) == 1:
            return f"{said[0]}.size()"
        return f"{CALLS.get(node.func.id, camel(node.func.id))}({', '.join(said)})"
    return f"{_expression(node.func)}({', '.join(said)})"


def _stream(node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> str:
    loop = node.generators[0]
    name = _expression(loop.target)
    kept = "".join(f".filter({name} -> {_expression(test)})" for test in loop.ifs)
    made = _expression(node.elt)
    return f"{_inner(loop.iter)}.stream(){kept}{'' if made == name else f'.map({name} -> {made})'}.toList()"


@dataclass
class _Known:
    """Names that were declared already, so that only the first assignment says a type."""

    names: set[str] = field(default_factory=set)


def braces() -> Language:
    """A language with braces; fresh for every program, since a name is declared once."""
    known = _Known()

    def statement(node: ast.stmt) -> str:
        match node:
            case ast.Return():
                return f"return {_expression(node.value)}" if node.value else "return"
            case ast.Assign(targets=[ast.Name(id=name)]) if name not in known.names:
                known.names.add(name)
                final = "final " if name.isupper() else ""
                return f"{final}{_typed(node.value)} {camel(name)} = {_expression(node.value)}"
            case ast.Assign():
                return f"{' = '.join(map(_expression, node.targets))} = {_expression(node.value)}"
            case ast.AugAssign(value=ast.Constant(value=1), op=ast.Add()):
                return f"{_expression(node.target)}++"
            case ast.AugAssign():
                sign = SIGNS.get(type(node.op), "*")
                return f"{_expression(node.target)} {sign}= {_expression(node.value)}"
            case ast.Expr():
                return _expression(node.value)
            case ast.Raise():
                return f"throw new {_expression(node.exc)}" if node.exc else "throw"
            case ast.Pass():
                return "return"
        return ast.unparse(node)

    def header(node: ast.stmt) -> list[tuple[str, list[ast.stmt]]]:
        match node:
            case ast.FunctionDef():
                given = [argument.arg for argument in node.args.args if argument.arg != "self"]
                known.names.update(given)
                gives = any(isinstance(x, ast.Return) and x.value for x in ast.walk(node))
                said = ", ".join(f"{_guess(word)} {camel(word)}" for word in given)
                return [(f"public {_returned(node) if gives else 'void'} {camel(node.name)}({said})", node.body)]
            case ast.For():
                return [(_for(node), node.body)]
            case ast.While():
                return [(f"while ({_expression(node.test)})", node.body)]
            case ast.If():
                spoken = ("if", "else if", "else")
                return _branches(node, lambda word, test: f"{word} ({_expression(test)})", spoken)
            case ast.With():
                return [(f"try ({'; '.join(_expression(item.context_expr) for item in node.items)})", node.body)]
            case ast.Try():
                return [("try", node.body), *(("catch (Exception error)", h.body) for h in node.handlers)]
        raise TypeError(type(node).__name__)

    return Language("braces", statement, header, "// ", ";", " {", "}")


def _for(node: ast.For) -> str:
    name = _expression(node.target)
    match node.iter:
        case ast.Call(func=ast.Name(id="range"), args=bounds):
            said = [_expression(bound) for bound in bounds]
            first, last = ("0", said[0]) if len(said) == 1 else (said[0], said[1])
            step = f"{name} += {said[2]}" if len(said) > 2 else f"{name}++"
            return f"for (int {name} = {first}; {name} < {last}; {step})"
    return f"for (var {name} : {_expression(node.iter)})"


def _guess(name: str) -> str:
    """A type that a parameter of this name might have."""
    if name.endswith("s") or any(part in name for part in ("list", "arr", "tup")):
        return "List<Integer>"
    if any(part in name for part in ("str", "text", "word", "name")):
        return "String"
    return "int"


def _returned(node: ast.FunctionDef) -> str:
    """A type that the function might give back."""
    for each in ast.walk(node):
        if isinstance(each, ast.Return) and isinstance(each.value, ast.Constant | ast.Compare | ast.ListComp):
            value = each.value
            if isinstance(value, ast.Compare) or (isinstance(value, ast.Constant) and isinstance(value.value, bool)):
                return "boolean"
            if isinstance(value, ast.ListComp):
                return "List<Integer>"
    return "int"


def _typed(node: ast.expr | None) -> str:
    """The type of a value, as far as it shows."""
    match node:
        case ast.Constant(value=bool()) | ast.Compare() | ast.BoolOp():
            return "boolean"
        case ast.Constant(value=int()):
            return "int"
        case ast.Constant(value=float()):
            return "double"
        case ast.Constant(value=str()) | ast.JoinedStr():
            return "String"
        case ast.List() | ast.ListComp():
            return "List<Integer>"
        case ast.Dict():
            return "Map<String, Integer>"
    return "var"
