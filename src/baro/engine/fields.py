"""Settings classes, and what their fields accept, in words a person reads."""

from __future__ import annotations

import glob
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


class Settings(BaseModel):
    """Base of every recipe's configuration: frozen, unknown keys refused, each field explained by its docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


def existing(path: Path, info: ValidationInfo) -> Path:
    """The path, if it is there, matches something, or is below a folder said to be pending."""
    path = path.expanduser()
    pending = (info.context or {}).get("pending", ())
    if any(path.is_relative_to(folder) for folder in pending):
        return path
    if not path.exists() and not glob.glob(str(path), recursive=True):
        raise ValueError(f"no such file or folder: {path}")
    return path


ExistingPath = Annotated[Path, AfterValidator(existing)]
"""A file, folder or glob pattern that is there when the settings are read (or is below a folder said to be pending)."""


def field_at(cls: type[Settings], path: tuple[str, ...]) -> Any:
    """The annotation of a (nested) field, None where there is no such field; a key inside a dict is free."""
    annotation: Any = cls
    for key in path:
        inner = next((leaf for leaf in leaves(annotation) if is_settings(leaf)), None)
        if inner is None:
            return Any if annotation is Any or any((get_origin(m) or m) is dict for m in members(annotation)) else None
        if key not in inner.model_fields:
            return None
        annotation = inner.model_fields[key].annotation
    return annotation


def is_settings(leaf: Any) -> bool:
    """Whether a plain type is a class of settings nested in another."""
    return isinstance(leaf, type) and issubclass(leaf, Settings)


def members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or the annotation alone; Annotated is looked through."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(member for part in get_args(annotation) for member in members(part))
    return (annotation,)


def leaves(annotation: Any) -> set[Any]:
    """The plain types an annotation accepts; Literal counts as the types of its values."""
    found: set[Any] = set()
    for member in members(annotation):
        literal = get_origin(member) is Literal
        found |= {type(value) for value in get_args(member)} if literal else {get_origin(member) or member}
    return found


def accepts(annotation: Any, kind: type) -> bool:
    """Whether a value of the plain type `kind` may be a setting annotated so."""
    return not {kind, Any}.isdisjoint(leaves(annotation))


def is_list(annotation: Any) -> bool:
    """Whether a setting takes several values."""
    return any((get_origin(m) or m) in (list, tuple, set) for m in members(annotation))


def coerce(value: Any, annotation: Any) -> Any:
    """Words as a setting of this type understands them: none, and lists written with commas or as YAML."""
    if not isinstance(value, str):
        return value
    kinds = leaves(annotation)
    if value.lower() in ("none", "null") and (types.NoneType in kinds or is_list(annotation)):
        return None if types.NoneType in kinds else []
    if str not in kinds and value[:1] in ("[", "{"):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value  # the check of the type names it
    if is_list(annotation) and str not in kinds:
        return [part.strip() for part in value.split(",")]
    return value


def type_name(annotation: Any) -> str:
    """An annotation in words: `a whole number or none`, `linear, cosine or constant`, `a list of text`."""
    words = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        Path: "a path",
        types.NoneType: "none",
        dict: "a mapping",
        Any: "anything",
    }
    names = []
    for member in members(annotation):
        origin, args = get_origin(member), get_args(member)
        if origin is Literal:
            names.append(", ".join(str(value) for value in args[:-1]) + (" or " if args[1:] else "") + str(args[-1]))
        elif origin in (list, tuple, set):
            items = type_name(args[0]) if args else "values"
            plural = items.removeprefix("a ") + "s" if items.startswith("a ") else items
            names.append(f"a list of {plural}")
        elif origin is dict or member in words:
            names.append(words[origin or member])
        else:
            names.append(getattr(member, "__name__", str(member)))
    return " or ".join(names)


class Option(NamedTuple):
    """One row of `--help`: a setting's name, its type in words, its default as one would write it, what it means."""

    name: str
    type: str
    default: str
    doc: str


def describe(cls: type[Settings]) -> list[Option]:
    """A row for every setting of `cls`, in the order of the class; a setting without a default says `needed`."""
    rows = []
    for name, field in cls.model_fields.items():
        default = field.get_default(call_default_factory=True)
        written = "needed" if field.is_required() else _written(default)
        rows.append(Option(name, type_name(field.annotation), written, " ".join(_doc(cls, name).split())))
    return rows


def _doc(cls: type[Settings], name: str) -> str:
    """What a setting means; a class that only gives it another default leaves that to the class it comes from."""
    bases = [base for base in cls.__mro__ if issubclass(base, Settings) and name in base.model_fields]
    return next((text for base in bases if (text := base.model_fields[name].description)), "")


def _written(value: Any) -> str:
    if value is None or value == [] or value == ():
        return "none"
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def names(cls: type[Settings], prefix: str = "") -> list[str]:
    """Every setting of `cls`; those of nested settings as `outer.inner`."""
    found = []
    for name, field in cls.model_fields.items():
        found.append(prefix + name)
        for leaf in leaves(field.annotation):
            found += names(leaf, f"{prefix}{name}.") if is_settings(leaf) else []
    return found
