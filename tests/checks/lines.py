#!/usr/bin/env python3
"""Checks what clang-format does not: that lines in CMake, Python, shell and Markdown have at most 120 characters, that
the formatter has not broken a list in a C++ comment, and that comments behind declarations (///<) have one style.

    lines.py            lists the problems
    lines.py --write    wraps the paragraphs of Markdown again

These lines may be longer: rows of Markdown tables; in Markdown, input and output of programs (fenced blocks other than
C++); and lines that consist of one word, such as a URL.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONGEST = 120

CHECKED = re.compile(r"(\.(py|cmake|sh|md)|(^|/)(CMakeLists\.txt|run|test|setup))$")
EXCLUDED = re.compile(r"(^|/)corpus/|^bench/results/")

FENCE = re.compile(r"^\s*(```|~~~)")
# What begins a new block in Markdown, and so is not the continuation of a paragraph.
BEGINS = re.compile(r"^\s*([-*+] |\d+[.)] |#|>|\||<|```|~~~|\[[^\]]+\]: |$)")
MARKER = re.compile(r"^(\s*)((?:[-*+]|\d+[.)]) +)?")
CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
NAMES = {"Asio", "Boost", "Debian", "Google", "Linux", "Ninja", "Python", "Rust", "Tokio", "Unix"}
SPACE_IN_CODE = "\0"


def listed(*patterns: str):
    """The files that git tracks, and those that it would add."""
    words = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in sorted(set(names)) if not EXCLUDED.search(name) and (ROOT / name).is_file()]


def is_allowed(line: str, markdown: bool) -> bool:
    if len(line) <= LONGEST:
        return True
    if markdown and line.lstrip().startswith("|"):
        return True
    return len(line.lstrip("#/*->. \t").split()) == 1


def long_lines(name: str):
    fence = ""
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        if name.endswith(".md") and FENCE.match(line):
            fence = "" if fence else line.strip("`~ ") or "output"
        elif not is_allowed(line, name.endswith(".md")) and (not fence or fence.startswith("cpp")):
            yield f"{name}:{number}: {len(line)} characters"


def broken_lists(name: str):
    """A single word between a full line and an indented one: the rest of an item that was too long."""
    lines = (ROOT / name).read_text().splitlines()
    for number in range(1, len(lines) - 1):
        before, line, after = (one.strip() for one in lines[number - 1:number + 2])
        alone = re.fullmatch(r"//+ \S{1,12}", line)
        if alone and re.match(r"//+ (- |\d+\. |  )", before) and re.match(r"//+   \S", after) and len(before) > 90:
            yield f"{name}:{number + 1}: the formatter has broken this list; wrap it by hand"


def comments_behind(name: str):
    """They begin with a small letter, except names, and end without a full stop."""
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        found = re.search(r"///< (.*)", line)
        if not found:
            continue
        word = re.match(r"[A-Z][a-z]*(?![\w.:])", found[1])
        if word and word[0] not in NAMES and len(word[0]) > 1:
            yield f"{name}:{number}: the comment begins with a capital letter"
        if found[1].endswith(".") and not found[1].endswith(".."):
            yield f"{name}:{number}: the comment ends with a full stop"


def fill(lines, indent: str, marker: str):
    text = CODE_SPAN.sub(lambda span: " ".join(span[0].split()).replace(" ", SPACE_IN_CODE),
                         " ".join(line.strip() for line in lines))
    text = text[len(marker.strip()):].lstrip() if marker else text
    wrapped = textwrap.wrap(text, LONGEST, initial_indent=indent + marker, subsequent_indent=indent + " " * len(marker),
                            break_long_words=False, break_on_hyphens=False)
    if any(BEGINS.match(line) for line in wrapped[1:]):
        return None  # a line would begin a list or the like
    return [line.replace(SPACE_IN_CODE, " ") for line in wrapped]


def wrapped_markdown(text: str) -> str:
    """The text with each paragraph refilled from its first line that is too long."""
    lines = text.splitlines()
    result, at, fenced = [], 0, False
    while at < len(lines):
        line = lines[at]
        if FENCE.match(line):
            fenced = not fenced
        if fenced or is_allowed(line, True) or re.match(r"\s*[#<>]", line):
            result.append(line)
            at += 1
            continue
        end = at + 1
        while end < len(lines) and not BEGINS.match(lines[end]):
            end += 1
        indent, marker = MARKER.match(line).group(1), MARKER.match(line).group(2) or ""
        filled = fill(lines[at:end], indent, marker)
        result += filled or lines[at:end]
        at = end
    return "\n".join(result) + ("\n" if text.endswith("\n") else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="wrap the paragraphs of Markdown that have longer lines")
    write = parser.parse_args().write
    checked = [name for name in listed() if CHECKED.search(name)]
    if write:
        for name in checked:
            if name.endswith(".md"):
                text = (ROOT / name).read_text()
                wrapped = wrapped_markdown(text)
                if wrapped != text:
                    (ROOT / name).write_text(wrapped)
                    print(f"wrapped {name}")
    found = [problem for name in checked for problem in long_lines(name)]
    found += [problem for name in listed("*.cpp", "*.hpp") for check in (broken_lists, comments_behind)
              for problem in check(name)]
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
