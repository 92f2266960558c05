#!/usr/bin/env python3
"""Prints what millions of sleeping tasks on one shard take, as medians of interleaved runs.

    python3 bench/sleepers/figures.py [--tasks N] [--runs N] [PROGRAM]

PROGRAM is build/release/bin/sleepers. 100,000,000 tasks, the default, need 4 GB of memory. Ends with 1 if a task takes
more bytes than docs/bytes.md says, or if memory does not come back.
"""

import argparse
import statistics
import subprocess
import sys

KINDS = {
    "in a scope": [],
    "detached": ["--detached"],
    "in a scope, shuffled": ["--shuffled"],
    "detached, shuffled": ["--detached", "--shuffled"],
}
BYTES_PER_TASK = {"in a scope": 37, "detached": 33}
# The arena makes up to 2 MB resident before they are needed.
PAGES_AHEAD = 2.1e6
# One record of 64 bytes in the table of slabs stays for each 64 KiB that were once in use.
KEPT_PER_TASK = 0.1


def run(program, options, tasks):
    command = [program, *options, str(tasks)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {key: float(value) for key, value in (line.split("=") for line in output.split())}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program", nargs="?", default="build/release/bin/sleepers")
    parser.add_argument("--tasks", type=int, default=100_000_000)
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    single = run(arguments.program, [], 1)
    runs = {kind: [] for kind in KINDS}
    for _ in range(arguments.runs):
        for kind, options in KINDS.items():
            runs[kind].append(run(arguments.program, options, arguments.tasks))
    failed = False
    for kind, results in runs.items():
        median = {key: statistics.median(result[key] for result in results) for key in results[0]}
        taken = (median["resident_asleep"] - single["resident_asleep"]) / arguments.tasks
        kept = median["resident_afterwards"] - single["resident_afterwards"]
        print(f"{kind}: to start {median['start_ns']:.1f} ns, to wake and end {median['wake_and_end_ns']:.1f} ns; "
              f"asleep {median['resident_asleep'] / 1e9:.3f} GB, {taken:.1f} bytes each; "
              f"afterwards {kept / 1e6:.1f} MB more than with one task")
        limit = PAGES_AHEAD + BYTES_PER_TASK[kind.split(",", maxsplit=1)[0]] * arguments.tasks
        failed |= median["resident_asleep"] - single["resident_asleep"] > limit
        failed |= kept > 1e6 + KEPT_PER_TASK * arguments.tasks
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
