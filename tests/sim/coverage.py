#!/usr/bin/env python3
"""Which awaits of src/ and include/ the explorations have cancelled.

    tests/sim/coverage.py [--min PERCENT] [--all] FOLDER

FOLDER has a file for each test that explored (TARE_SIM_COVERAGE; `ctest -R '^sim\\.'` writes build/PRESET/tests/sim/
coverage), with each await of the test's program, by line, and how often it was cancelled. An await under a shield is
reached when its task is cancelled, but by design not cancelled. Prints the share of lines that were reached, and those
that were not cancelled. With --min it fails if the share is lower.
"""

import argparse
import collections
import pathlib
import re
import sys

LINE = re.compile(r"^(\S+):(\d+) (\d+) (\d+)$")
OWN = ("src/", "include/")


def read(folder: pathlib.Path) -> dict[tuple[str, int], tuple[int, int]]:
    """For each line: how often it was cancelled, and how often a shield kept the cancellation from it."""
    lines = collections.defaultdict(lambda: (0, 0))
    for file in sorted(folder.glob("*.txt")):
        for number, text in enumerate(file.read_text().splitlines(), 1):
            match = LINE.match(text)
            if not match:
                sys.exit(f"{file}:{number}: not FILE:LINE COUNT COUNT: {text}")
            place = match[1].removeprefix("./"), int(match[2])
            lines[place] = lines[place][0] + int(match[3]), lines[place][1] + int(match[4])
    return lines


def report(lines: dict[tuple[str, int], tuple[int, int]], shows_all: bool) -> float:
    own = {place: counts for place, counts in sorted(lines.items()) if place[0].startswith(OWN)}
    if not own:
        sys.exit("no explorations of src/ are recorded there: run the tests of tests/sim first")
    for (file, line), (cancelled, shielded) in own.items():
        if shows_all or not cancelled:
            print(f"{file}:{line}: " + (f"cancelled {cancelled} times" if cancelled else
                                        "reached only under a shield" if shielded else "never reached"))
    cancelled = sum(counts[0] > 0 for counts in own.values())
    shielded = sum(counts[0] == 0 and counts[1] > 0 for counts in own.values())
    share = 100 * (cancelled + shielded) / len(own)
    print(f"of {len(own)} awaits, {cancelled} were cancelled, {shielded} reached only under a shield: {share:.1f} %")
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--min", type=float, default=0, metavar="PERCENT")
    parser.add_argument("--all", action="store_true", help="also lists the lines that were cancelled")
    chosen = parser.parse_args()
    if not chosen.folder.is_dir():
        parser.error(f"{chosen.folder} is not a folder")
    share = report(read(chosen.folder), chosen.all)
    if share < chosen.min:
        print(f"must be at least {chosen.min:g} %", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
