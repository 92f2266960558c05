#!/usr/bin/env python3
"""Checks that no C++ file has more than 400 lines and no function more than 80. size_allowed.txt lists exceptions.

The exceptions can only become fewer and smaller: one that is no longer needed, or is larger than allowed, is an error
too.

Functions are found by their layout, which clang-format decides: a function ends with the first line that begins with a
brace and has the indentation of its first line. Lambdas count as part of the function that contains them.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALLOWED = ROOT / "tests/checks/size_allowed.txt"
MAX_IN_FILE = 400
MOST_IN_FUNCTION = 80

# Blocks that contain functions or values but are not functions.
CONTAINER = re.compile(r'^(inline )?(namespace|class|struct|union|enum)\b|^extern "C" \{')
TEMPLATE = re.compile(r"^(template <[^{]*?>(?: requires [^{]*?)?|\[\[[^\]]*\]\]|static|constexpr|inline|friend) (?=\S)")
TEST = re.compile(r"^\w*TEST\w*\([^)]*\)|^BENCHMARK\w*\([^)]*\)")
OPERATOR = r"operator\s*(?:\(\)|[^\s\w(]+|\w+)"
NAME = re.compile(rf"({OPERATOR}|[~\w]+(?:(?:<[^()]*>)?::[~\w]+|::{OPERATOR})*)\s*\(")
KEYWORDS = {"if", "for", "while", "switch", "requires", "noexcept", "decltype", "alignas", "explicit", "do", "sizeof"}


def sources():
    words = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.cpp", "*.hpp"]
    names = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in sorted(set(names)) if "/corpus/" not in name and (ROOT / name).is_file()]


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def head_of(lines, opening: int):
    """Where the declaration begins whose body opens at the end of this line, and the text of the declaration."""
    first = opening
    while first > 0 and continues(lines[first - 1].strip()):
        first -= 1
    return first, " ".join(line.strip() for line in lines[first:opening + 1])


def continues(line: str) -> bool:
    """Whether the next line belongs to the same declaration."""
    return bool(line) and not line.endswith((";", "{", "}", "public:", "protected:", "private:")) and \
        not line.startswith(("//", "#"))


def name_of(head: str) -> str:
    test = TEST.match(head)
    if test:
        return test[0]
    for found in NAME.finditer(head):
        if found[1] not in KEYWORDS:
            return found[1].replace(" ", "")
    return "(unnamed)"


def functions(text: str):
    """The name of each function, and its number of lines."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.rstrip().endswith("{") or line.lstrip().startswith(("//", "#")):
            at += 1
            continue
        first, head = head_of(lines, at)
        while TEMPLATE.match(head):
            head = TEMPLATE.sub("", head, count=1)
        indent = indentation(lines[first])
        if CONTAINER.match(head) or "(" not in head or re.search(r"=\s*\{$", head):
            at += 1
            continue
        end = at + 1
        while end < len(lines) and not (lines[end].lstrip().startswith("}") and indentation(lines[end]) == indent):
            end += 1
        yield name_of(head), end - first + 1
        at = end + 1


def too_large():
    """Each file and function that is too large, with its number of lines."""
    for name in sources():
        text = (ROOT / name).read_text()
        count = text.count("\n")
        if count > MAX_IN_FILE:
            yield name, count
        for function, size in functions(text):
            if size > MOST_IN_FUNCTION:
                yield f"{name} {function}", size


def allowed():
    """The listed exceptions, with the number of lines that each may have."""
    for line in ALLOWED.read_text().splitlines():
        if line and not line.startswith("#"):
            subject, count, reason = re.fullmatch(r"(.+?)  (\d+)  (\S.*)", line).groups()
            yield subject, int(count)


def main() -> int:
    found, listed = dict(too_large()), dict(allowed())
    problems = []
    for subject, count in found.items():
        if subject not in listed:
            problems.append(f"{subject}: {count} lines; divide it")
        elif count > listed[subject]:
            problems.append(f"{subject}: {count} lines; {ALLOWED.name} allows {listed[subject]}: divide it")
    problems += [f"{subject}: is no longer too large; remove it from {ALLOWED.name}" for subject in listed
                 if subject not in found]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
