#!/usr/bin/env python3
"""Which awaits of src/ and include/ the explorations have cancelled.

    tests/sim/coverage.py [--min PERCENT] [--all] FOLDER

FOLDER has a file for each test that explored (TARE_SIM_COVERAGE; `ctest -R '^sim\\.'` writes build/PRESET/tests/sim/
coverage), with each await of the test's program, by line, and how often it was cancelled. Prints the share of lines
that were cancelled at least once, and those that never were. With --min it fails if the share is lower.
"""

import argparse
import collections
import pathlib
import re
import sys

LINE = re.compile(r"^(\S+):(\d+) (\d+)$")
OWN = ("src/", "include/")


def read(folder: pathlib.Path) -> dict[tuple[str, int], int]:
    cancelled = collections.Counter()
    for file in sorted(folder.glob("*.txt")):
        for number, text in enumerate(file.read_text().splitlines(), 1):
            match = LINE.match(text)
            if not match:
                sys.exit(f"{file}:{number}: not FILE:LINE COUNT: {text}")
            cancelled[match[1].removeprefix("./"), int(match[2])] += int(match[3])
    return cancelled


def report(cancelled: dict[tuple[str, int], int], shows_all: bool) -> float:
    own = {place: count for place, count in sorted(cancelled.items()) if place[0].startswith(OWN)}
    if not own:
        sys.exit("no explorations of src/ are recorded there: run the tests of tests/sim first")
    reached = sum(count > 0 for count in own.values())
    for (file, line), count in own.items():
        if shows_all or count == 0:
            print(f"{file}:{line}: {f'cancelled {count} times' if count else 'never cancelled'}")
    share = 100 * reached / len(own)
    print(f"{reached} of {len(own)} awaits cancelled: {share:.1f} %")
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
