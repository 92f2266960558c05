#!/usr/bin/env python3
"""Measures the cost of reading a large binary: the time and the memory of `tare frames` and `tare check`.

    python3 bench/frames/figures.py [--runs 5] [--megabytes 200] [build/release]

Builds a program of that size with build.sh, once, and prints the medians of time, processor time and peak memory.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def run(words):
    began = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit(f"{' '.join(words)} ended with {process.returncode}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("build", nargs="?", type=pathlib.Path, default=here.parents[1] / "build/release")
    asked = parser.parse_args()
    tare = str(asked.build / "bin/tare")
    folder = asked.build / "bench/frames"
    subprocess.run([here / "build.sh", folder, str(asked.megabytes)], check=True)
    large = str(folder / "large")
    with tempfile.TemporaryDirectory() as scratch:
        ratchet = f"{scratch}/ratchet.toml"
        for name, words in {
            "tare frames": ["frames", large],
            "tare frames --awaits --match '^serve<101>'": ["frames", large, "--awaits", "--match", "^serve<101>"],
            "tare check --record": ["check", large, "--record", "--ratchet", ratchet],
            "tare frames --json": ["frames", large, "--json", f"{scratch}/frames.json"],
        }.items():
            runs = [run([tare, *words]) for _ in range(asked.runs)]
            seconds, processor, megabytes = (statistics.median(column) for column in zip(*runs))
            print(f"{name}: {seconds:.2f} s, {processor:.2f} s of processor time, {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
