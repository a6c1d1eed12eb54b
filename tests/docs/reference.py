"""The reference tables in docs/, written from the code: `python -m tests.docs.reference` (or `make reference`).

A table stands between the markers `<!-- reference: NAME -->` and `<!-- end -->` of a page. The keys of a study come
from the schema (`search/config/schema.py`), those of a recipe from the fields of `trainer.Recipe` and what stands
directly below or beside each. The parts of nodes come from nodes that are built (`tests/docs/parts.py`).
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from search.config.schema import Written
from search.config.sections import code
from tests.docs import parts
from trainer import Recipe, RecipeError, Report
from trainer.data.layouts.registry import layouts
from trainer.recipe.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"(<!-- reference: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Key(NamedTuple):
    """One row of a reference table."""

    name: str
    kind: str
    default: str
    meaning: str


def study_keys() -> list[Key]:
    """Return every key of a study file, nested ones as `section.key`; those of `train` are the recipe's."""
    schema = Written.model_json_schema()
    return list(_keys(schema, schema["$defs"]))


def _keys(schema: Mapping[str, Any], sections: Mapping[str, Any], before: str = "") -> Iterator[Key]:
    """Yield the keys of a mapping and of those below it. before: its own address, with a dot."""
    for name, field in schema["properties"].items():
        section = _section(field, sections)
        yield _key(before + name, field, section is not None, not before and name in schema["required"])
        if section is not None and name != "train":
            yield from _keys(section, sections, f"{before}{name}.")


def _section(field: Mapping[str, Any], sections: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of a mapping with keys of its own, None for a plain value."""
    for one in (field, *field.get("anyOf", ())):
        if "$ref" in one:
            found: Mapping[str, Any] = sections[one["$ref"].rpartition("/")[2]]
            return found
    return None


def _key(name: str, field: Mapping[str, Any], is_section: bool, is_required: bool) -> Key:
    kind = field.get("kind") or ("mapping" if is_section else _kind(field))
    return Key(name, kind, _default(field, is_section, is_required), field.get("description", ""))


def _kind(field: Mapping[str, Any]) -> str:
    """Return what a key may hold, in words."""
    if "anyOf" in field:
        kinds = [_kind(one) for one in field["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    match field.get("type"):
        case "integer":
            return f"whole number{_range(field)}"
        case "number":
            return f"number{_range(field)}"
        case "boolean":
            return "`true` or `false`"
        case "string":
            return "text"
        case "array":
            return "list"
    return "mapping"


def _range(field: Mapping[str, Any]) -> str:
    bounds = (
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    )
    said = [f"{word} {field[key]:,}" for key, word in bounds if key in field]
    return " " + ", ".join(said) if said else ""


def _default(field: Mapping[str, Any], is_section: bool, is_required: bool) -> str:
    if is_required:
        return "required"
    if "unset" in field:
        return str(field["unset"])
    if is_section:
        return ""
    value = field.get("default")
    return "none" if value in (None, []) else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """Return a default as a person writes it in YAML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def recipe_keys() -> list[Key]:
    """Return every key of a recipe."""
    told = field_docs(Recipe)
    return [
        Key(field.name, _allowed(field.name), _recipe_default(field.name), told.get(field.name, ""))
        for field in fields(Recipe)
    ]


def _recipe_default(key: str) -> str:
    """Return the default of a recipe's key; where it follows the optimizer, that of each."""
    if key == "optimizer":
        return f"`{Recipe().optimizer}`"
    by_value: dict[str, list[str]] = {}
    for name in OPTIMIZERS:
        by_value.setdefault(_yaml(getattr(Recipe(optimizer=name), key)), []).append(name)
    if len(by_value) == 1:
        return f"`{next(iter(by_value))}`"
    return " or ".join(f"`{value}` ({', '.join(names)})" for value, names in by_value.items())


def _allowed(key: str) -> str:
    """Return what a recipe's key may hold, in the words of the recipe's own error."""
    try:
        Recipe.parse({key: object()})
    except RecipeError as error:
        return str(error).rpartition("; it must be ")[2].removeprefix("a ")
    raise AssertionError(f"a recipe takes anything as {key}")


def report_fields() -> list[Key]:
    """Return every field of a training's report."""
    told = field_docs(Report)
    return [Key(field.name, "", "", told.get(field.name, "")) for field in fields(Report)]


def field_docs(kind: type) -> dict[str, str]:
    """Return what stands at each field of a class: the string literal below it, else comments above or beside it."""
    text = textwrap.dedent(inspect.getsource(kind))
    body = ast.parse(text).body[0]
    assert isinstance(body, ast.ClassDef)
    comments = _comments(text)
    found = {}
    for node, following in zip(body.body, [*body.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        below = following.value if isinstance(following, ast.Expr) else None
        if isinstance(below, ast.Constant) and isinstance(below.value, str):
            found[node.target.id] = _sentence(below.value)
        elif beside := comments.get(node.end_lineno or 0) or _above(comments, text, node.lineno):
            found[node.target.id] = _sentence(beside)
    return found


def _comments(text: str) -> dict[int, str]:
    """Return the comment on each line that has one; notes to tools are none."""
    tokens = tokenize.generate_tokens(StringIO(text).readline)
    said = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    plain = {line: re.sub(r"^(# type: ignore\S*|# noqa\S*)\s*", "", words) for line, words in said.items()}
    return {line: words.lstrip("# ").strip() for line, words in plain.items() if words.lstrip("# ").strip()}


def _above(comments: Mapping[int, str], text: str, line: int) -> str:
    """Return the whole lines of comment directly above a line, joined."""
    lines, found = text.splitlines(), []
    while line > 1 and lines[line - 2].lstrip().startswith("#"):
        line -= 1
        found.insert(0, comments.get(line, ""))
    return " ".join(found)


def _sentence(text: str) -> str:
    said = " ".join(text.split())
    return said if said.endswith((".", "!", "?")) else f"{said}."


def table(keys: list[Key]) -> str:
    """Return a table of keys in Markdown."""
    rows = [f"| `{k.name}` | {_cell(k.kind)} | {_cell(k.default)} | {_cell(k.meaning)} |" for k in keys]
    return "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def short_table(keys: list[Key]) -> str:
    """Return a table of names and meanings in Markdown."""
    rows = [f"| `{k.name}` | {_cell(k.meaning)} |" for k in keys]
    return "\n".join(["| field | meaning |", "| --- | --- |", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def layout_table() -> str:
    """Return a table of the layouts of images in Markdown."""
    rows = [
        " | ".join(
            [f"| `{one.word}`", *map(_cell, (one.about, one.splits, one.extra)), f"{code(one.answers)} |"]
        )
        for one in layouts().values()
    ]
    head = ["| layout | what lies where | splits | needs | may be said |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


TABLES: Mapping[str, Callable[[], str]] = {
    "study": lambda: table(study_keys()),
    "recipe": lambda: table(recipe_keys()),
    "report": lambda: short_table(report_fields()),
    "parts": parts.table,
    "layouts": layout_table,
}


def filled(page: str) -> str:
    """Return a page with every table between markers written anew."""
    return BLOCK.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", page)


def pages() -> list[Path]:
    """Return the pages that have a table between markers."""
    return [path for path in sorted(DOCS.glob("*.md")) if BLOCK.search(path.read_text(encoding="utf-8"))]


def main() -> None:
    """Write every table anew."""
    for path in pages():
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
