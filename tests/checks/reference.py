#!/usr/bin/env python3
"""Generates docs/reference.md from the public headers: what each is for, and which header declares a name.

    tests/checks/reference.py           checks that the page is up to date
    tests/checks/reference.py --write   writes it

The text is the first sentence of a header's first comment; the names are those declared at the beginning of a line.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference.md"
HEADERS = ROOT / "include"
GROUPS = (
    ("Core", "tare::tare", re.compile(r"tare/[a-z_]+\.hpp$")),
    ("Sockets, names, TLS, files, signals", "tare::net", re.compile(r"tare/net/[a-z_]+\.hpp$")),
    ("HTTP and WebSocket", "tare::http", re.compile(r"tare/http/[a-z_]+\.hpp$")),
    ("Databases", "tare::db", re.compile(r"tare/db/[a-z_]+\.hpp$")),
    ("Formats shared with the tools", "tare::tare", re.compile(r"tare/abi/[a-z_]+\.hpp$")),
)
DECLARED = re.compile(
    r"^(?:template <[^\n]*>\n)?"
    r"(?:(?:class|struct|enum class|concept)\s+(?:\[\[[^\]]*\]\]\s*)?(?P<type>[a-z]\w*)\b(?!\s*;)"
    r"|using (?P<alias>[a-z]\w*) ="
    r"|inline constexpr (?:[\w:<>]+ )+(?P<constant>[a-z]\w*)\b"
    r"|(?:\[\[.*?\]\]\s*)?(?:constexpr |inline |friend )*[a-z][\w:<>,&* ]*? [*&]?(?P<function>[a-z]\w*)\("
    r"|#define (?P<macro>[A-Z]\w*)\()",
    re.MULTILINE)


def first_sentence(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if line.startswith("// "):
            lines.append(line[3:])
        elif lines:
            break
    comment = " ".join(lines)
    end = re.search(r"[.](?= [A-Z`]|$)", comment)
    return comment[: end.end()] if end else comment


def namespace_at(text: str, at: int) -> str:
    opened = re.findall(r"^(?:namespace ([\w:]+) \{|\}  // namespace ([\w:]+))", text[:at], re.MULTILINE)
    inside = []
    for begun, ended in opened:
        if begun:
            inside.append(begun)
        elif inside:
            inside.pop()
    return "::".join(inside)


def names_of(text: str) -> list[str]:
    found = set()
    for match in DECLARED.finditer(text):
        name = next(value for value in match.groupdict().values() if value)
        space = namespace_at(text, match.start())
        if match["macro"]:
            found.add(name)
        elif name in ("operator", "return", "namespace", "std"):
            continue
        elif space.startswith("tare") and "detail" not in space:
            found.add(f"{space}::{name}")
    return sorted(found)


def page() -> str:
    lines = ["# Reference", "",
             "Every public header and what it is for. Each header has the details: what it costs in bytes, errors,",
             "cancellation, threads, and an example. This page is made by `tests/checks/reference.py --write`.", ""]
    index = {}
    for title, target, pattern in GROUPS:
        lines += [f"## {title}", "", f"Link `{target}`.", "", "| header | what it is for |", "|---|---|"]
        for file in sorted(HEADERS.rglob("*.hpp")):
            name = file.relative_to(HEADERS).as_posix()
            if not pattern.match(name):
                continue
            text = file.read_text()
            lines.append(f"| [`<{name}>`](../include/{name}) | {first_sentence(text).replace('|', chr(92) + '|')} |")
            for declared in names_of(text):
                index.setdefault((declared, name), None)
        lines.append("")
    lines += ["## Names", "", "| name | header |", "|---|---|"]
    lines += [f"| `{name}` | [`<{header}>`](../include/{header}) |" for name, header in sorted(index)]
    return "\n".join(lines) + "\n"


def main() -> int:
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    if not PAGE.exists() or PAGE.read_text() != page():
        print("docs/reference.md does not match the headers: run tests/checks/reference.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
