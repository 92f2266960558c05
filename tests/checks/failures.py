#!/usr/bin/env python3
"""Prints why a stage of ./test failed: the failed tests, with the end of each test's output, or the build's errors.

    tests/checks/failures.py BUILD_FOLDER

The results come from the file that `ctest --output-junit` wrote. If it does not exist, the build failed, and the errors
come from build.log in the build folder.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree

MAX_TESTS = 12
MAX_LINES = 6
MAX_WIDTH = 200
TELLING = re.compile(r"Failure|rror:|ERROR|WARNING: ThreadSanitizer|SUMMARY|Expected|Which is|Actual|expected|what\(\)|"
                     r"AssertionError|Timeout|timed out")


def telling(text: str) -> list[str]:
    """The lines that say what went wrong, or the last lines if none does."""
    lines = [line.rstrip()[:MAX_WIDTH] for line in text.splitlines() if line.strip()]
    return ([line for line in lines if TELLING.search(line)] or lines[-MAX_LINES:])[:MAX_LINES]


def failed_tests(junit: pathlib.Path) -> list[tuple[str, str]]:
    cases = xml.etree.ElementTree.parse(junit).getroot().iter("testcase")
    return [(case.get("name", ""), case.findtext("system-out", "")) for case in cases
            if case.get("status") not in ("run", "disabled", "notrun")]


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    build = pathlib.Path(sys.argv[1])
    junit, log = build / "tests.xml", build / "build.log"
    if not junit.exists():
        print("  the build failed")
        for line in telling(log.read_text(errors="replace") if log.exists() else ""):
            print(f"    {line}")
        return 0
    failed = failed_tests(junit)
    for name, output in failed[:MAX_TESTS]:
        print(f"  {name}")
        for line in telling(output):
            print(f"    {line}")
    for name, _ in failed[MAX_TESTS:]:
        print(f"  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
