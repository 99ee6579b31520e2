"""Programs to compare: real ones (MBPP, HumanEval) where their files are given, and made-up ones."""

from __future__ import annotations

import ast
import gzip
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from baro.core.errors import DataError

FILES = {"mbpp": "mbpp/mbpp.jsonl.gz", "humaneval": "humaneval/HumanEval.jsonl.gz"}
LONGEST = 900  # characters of a program


@dataclass(frozen=True)
class Program:
    """What it is for, its text in Python, and the family whose members stay on one side of a split."""

    task: str
    source: str
    family: str

    @cached_property
    def tree(self) -> list[ast.stmt]:
        """Its statements, not to be changed: a harm works on a copy."""
        return ast.parse(self.source).body


def real(folder: Path) -> list[Program]:
    """The programs of MBPP and HumanEval below `folder`, without those of more than LONGEST characters.

    Raises:
        DataError: a file is missing.
    """
    found = []
    for name, file in FILES.items():
        path = folder / file
        if not path.is_file():
            hint = "Give the folder that holds mbpp/ and humaneval/, or none for made-up programs only."
            raise DataError(f"there are no programs of {name} here.", where=str(path), hint=hint)
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
        for number, row in enumerate(rows):
            code = row["code"] if name == "mbpp" else row["prompt"] + row["canonical_solution"]
            program = _clean(code, row["text"] if name == "mbpp" else "", f"{name}-{number}")
            found += [program] if program else []
    return found


def _clean(code: str, task: str, family: str) -> Program | None:
    """A program as its syntax tree says it: no imports, the docstring as its task; None where it is too long or odd."""
    try:
        tree = ast.parse(code.replace("\r\n", "\n").replace("\t", "    "))
    except SyntaxError:
        return None
    said = task
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node)):
            said = said or text
            node.body = node.body[1:]
    kept = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    first = re.split(
        r"(?<=[a-z])\.\s|>>>|\n\n", re.sub(r"^Write a (python )?(function|program) to ", "", said.strip())
    )[0]
    source = ast.unparse(ast.Module(kept, []))
    usable = kept and all(isinstance(n, ast.Assign) or (isinstance(n, ast.FunctionDef) and n.body) for n in kept)
    return Program(" ".join(first.split())[:90], source, family) if usable and len(source) <= LONGEST else None


# --- made-up programs ------------------------------------------------------------------------------------------------

THINGS = ("order", "letter", "student", "ticket", "book", "price", "message", "city", "account", "lesson", "visitor",
          "score", "payment", "parcel", "question", "recipe", "flight", "room", "song", "player")  # fmt: skip
TRAITS = ("weight", "length", "age", "amount", "distance", "width", "rating", "height", "total", "delay")
DEEDS = ("send", "print", "store", "check", "update", "remove", "deliver", "accept", "open", "close")
FORMS = {
    "count": """
def count_{adjective}_{thing}s({thing}s):
    {LIMIT} = {number}
    {adjective}_count = 0
    for {thing} in {thing}s:
        if {thing}.{trait} > {LIMIT}:
            {adjective}_count += 1
    return {adjective}_count
""",
    "average": """
def average_{trait}({thing}s):
    if len({thing}s) == 0:
        return 0
    {trait}_sum = 0
    for {thing} in {thing}s:
        {trait}_sum += {thing}.{trait}
    average = {trait}_sum / len({thing}s)
    return average
""",
    "best": """
def find_{adjective}_{thing}({thing}s, smallest_{trait}):
    best_{thing} = None
    best_{trait} = smallest_{trait}
    "an earlier {thing} wins when two are equal"
    for {thing} in {thing}s:
        current_{trait} = {thing}.{trait}
        if current_{trait} > best_{trait}:
            best_{thing} = {thing}
            best_{trait} = current_{trait}
    return best_{thing}
""",
    "act": """
def {deed}_all({thing}s, counter):
    {LIMIT} = {number}
    for {thing} in {thing}s:
        if {thing} is None:
            continue
        "{thing}s without a {trait} are left out"
        if {thing}.has_{trait}() and {thing}.{trait} <= {LIMIT}:
            counter.add({thing})
            {thing}.{deed}()
    counter.finish()
""",
    "price": """
def {thing}_price({trait}, is_member):
    BASE_PRICE = {number}
    PRICE_PER_UNIT = {small}
    DISCOUNT = {tiny}
    full_price = BASE_PRICE + PRICE_PER_UNIT * {trait}
    if is_member:
        return full_price - DISCOUNT
    return full_price
""",
    "grade": """
def {trait}_class({trait}):
    {LIMIT} = {number}
    SMALL_{LIMIT} = {small}
    if {trait} >= {LIMIT}:
        label = "{adjective}"
    elif {trait} >= SMALL_{LIMIT}:
        label = "usual"
    else:
        label = "small"
    return label
""",
    "search": """
def position_of_{thing}({thing}s, wanted_{trait}):
    low = 0
    high = len({thing}s) - 1
    "halve the part that may hold it until nothing is left"
    while low <= high:
        middle = (low + high) // 2
        found_{trait} = {thing}s[middle].{trait}
        if found_{trait} == wanted_{trait}:
            return middle
        if found_{trait} < wanted_{trait}:
            low = middle + 1
        else:
            high = middle - 1
    return -1
""",
    "load": """
def load_{thing}s(file_name, reader):
    {thing}s = []
    try:
        lines = reader.read_lines(file_name)
        for line in lines:
            fields = line.split(",")
            {thing} = create_{thing}(fields[0], fields[1])
            {thing}s.append({thing})
    except IOError:
        print("cannot read the {thing}s")
    return {thing}s
""",
    "valid": """
def is_valid_{thing}({thing}, known_{thing}s):
    {LIMIT} = {number}
    if {thing} is None:
        return False
    "a {thing} may be used once only"
    if {thing} in known_{thing}s:
        return False
    return {thing}.{trait} > 0 and {thing}.{trait} < {LIMIT}
""",
    "group": """
def group_by_{trait}({thing}s):
    groups = {{}}
    for {thing} in {thing}s:
        key = {thing}.{trait}
        if key not in groups:
            groups[key] = []
        groups[key].append({thing})
    return groups
""",
    "repeat": """
def {deed}_until_done({thing}, service):
    MAX_TRIES = {tiny}
    tries = 0
    is_done = False
    while not is_done and tries < MAX_TRIES:
        tries += 1
        answer = service.{deed}({thing})
        is_done = answer.is_good()
    if not is_done:
        service.report_failure({thing})
    return is_done
""",
    "table": """
def {trait}_table({thing}s, columns):
    rows = []
    for {thing} in {thing}s:
        row = []
        for column in columns:
            value = {thing}.get_value(column)
            row.append(value)
        rows.append(row)
    return rows
""",
}
TASKS = {
    "count": "count the {thing}s whose {trait} is above a limit",
    "average": "the mean {trait} of all {thing}s",
    "best": "find the {thing} with the largest {trait}",
    "act": "{deed} every {thing} that may be used",
    "price": "what a {thing} costs by its {trait}",
    "grade": "say in a word how large the {trait} is",
    "search": "find a {thing} by its {trait} in a sorted list",
    "load": "read all {thing}s from a file",
    "valid": "say whether a {thing} can be used",
    "group": "sort {thing}s into groups of the same {trait}",
    "repeat": "{deed} a {thing}, and try again a few times",
    "table": "a table with one row for each {thing}",
}
ADJECTIVES = ("large", "heavy", "late", "open", "rare", "busy")


def made_up(count: int, roll: Random) -> list[Program]:
    """`count` different programs; those of one form are one family."""
    found: dict[str, Program] = {}
    while len(found) < count:
        form = roll.choice(list(FORMS))
        thing, trait, deed = roll.choice(THINGS), roll.choice(TRAITS), roll.choice(DEEDS)
        words = {"thing": thing, "trait": trait, "deed": deed, "adjective": roll.choice(ADJECTIVES)}
        words |= {"LIMIT": f"{roll.choice(('MAX', 'LARGEST', 'USUAL'))}_{trait.upper()}"}
        numbers = {"number": roll.randrange(12, 400), "small": roll.randrange(3, 12), "tiny": roll.randrange(2, 9)}
        source = ast.unparse(ast.parse(FORMS[form].format(**words, **numbers)))
        found[source] = Program(TASKS[form].format(**words), source, f"form-{form}")
    return list(found.values())
