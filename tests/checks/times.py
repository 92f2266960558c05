#!/usr/bin/env python3
"""Prints how long a stage of ./test took: seconds of compiling and linking, over all processors, and the slowest tests.

    tests/checks/times.py BUILD_FOLDER EARLIER_LOG

EARLIER_LOG is a copy of .ninja_log from before the stage began: its lines are ignored.

The times of the build come from Ninja's log, those of the tests from the file that `ctest --output-junit` wrote.
"""

import pathlib
import sys
import xml.etree.ElementTree


def build_seconds(log: pathlib.Path, earlier: pathlib.Path) -> tuple[float, float]:
    compiled = linked = 0.0
    if log.exists():
        known = set(earlier.read_text().splitlines()) if earlier.exists() else set()
        seen = set()
        for line in log.read_text().splitlines():
            if line in known:
                continue
            fields = line.split("\t")
            if line.startswith("#") or len(fields) < 5 or (fields[0], fields[1], fields[4]) in seen:
                continue
            seen.add((fields[0], fields[1], fields[4]))
            seconds = (int(fields[1]) - int(fields[0])) / 1000
            if fields[3].endswith((".o", ".pch")):
                compiled += seconds
            else:
                linked += seconds
    return compiled, linked


def tests(junit: pathlib.Path) -> list[tuple[float, str]]:
    if not junit.exists():
        return []
    cases = xml.etree.ElementTree.parse(junit).getroot().iter("testcase")
    return sorted(((float(case.get("time", 0)), case.get("name", "")) for case in cases), reverse=True)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    build = pathlib.Path(sys.argv[1])
    compiled, linked = build_seconds(build / ".ninja_log", pathlib.Path(sys.argv[2]))
    ran = tests(build / "tests.xml")
    print(f"times of {build.name}: compile {compiled:.0f} s, link and the rest {linked:.0f} s, "
          f"tests {sum(seconds for seconds, _ in ran):.0f} s")
    for seconds, name in ran[:10]:
        print(f"  {seconds:7.1f} s  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
