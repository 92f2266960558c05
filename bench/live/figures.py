#!/usr/bin/env python3
"""Measures the cost of inspecting a process: the time of `tare live`, and its effect on the process.

    python3 bench/live/figures.py [--runs 5] [--seconds 40] [build/release]

Prints three figures: how long `tare live` takes from start to end for a million tasks, how fast it scans the memory of
a process with a malloc heap, and the throughput of a process that is inspected once per second, compared with its
throughput in the seconds in between.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time


def start(words):
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == "READY":
            return process
    sys.exit(f"{words[0]} did not become ready")


def look(tare, pid):
    began = time.monotonic()
    shown = subprocess.run([tare, "live", str(pid), "--json", "-"], capture_output=True, text=True)
    if shown.returncode != 0:
        sys.exit(shown.stderr)
    return json.loads(shown.stdout), time.monotonic() - began


def time_of_table(tare, pid):
    began = time.monotonic()
    subprocess.run([tare, "live", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def million(tare, busy, runs):
    process = start([busy, "1000000", "600"])
    try:
        times = [time_of_table(tare, process.pid) for _ in range(runs)]
        seen, _ = look(tare, process.pid)
    finally:
        process.kill()
    print(f"{seen['frames']:,} frames of this library listed in {statistics.median(times) * 1000:.0f} ms")


def heap(tare, program, runs):
    process = start([program, "100000"])
    try:
        rates = []
        for _ in range(runs):
            seen, _ = look(tare, process.pid)
            rates.append(seen["scanned_bytes"] / seen["seconds"])
    finally:
        process.kill()
    print(
        f"{seen['frames']:,} frames in a heap of malloc: {seen['scanned_bytes'] / 1e6:.0f} MB scanned at "
        f"{statistics.median(rates) / 1e9:.2f} GB/s"
    )


def slowdown(tare, busy, seconds):
    """Alternates between seconds with and without an inspection, and compares the pairs."""
    process = start([busy, "100000", str(seconds + 5)])
    ratios = []
    try:
        for _ in range(seconds // 2):
            rounds = {}
            for watched in (False, True):
                began = time.monotonic()
                if watched:
                    look(tare, process.pid)
                got = []
                while time.monotonic() - began < 1:
                    got.append(int(process.stdout.readline().split()[1]))
                rounds[watched] = statistics.mean(got)
            ratios.append(rounds[True] / rounds[False])
    finally:
        process.kill()
    print(
        f"throughput while inspected once per second: {(statistics.median(ratios) - 1) * 100:+.2f} % "
        f"(median of {len(ratios)} pairs of seconds; quartiles "
        f"{', '.join(f'{(q - 1) * 100:+.2f} %' for q in statistics.quantiles(ratios, n=4)[::2])})"
    )


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("build", nargs="?", default="build/release", type=pathlib.Path)
    options.add_argument("--runs", default=5, type=int)
    options.add_argument("--seconds", default=40, type=int)
    asked = options.parse_args()
    tare = str(asked.build / "bin" / "tare")
    busy = str(asked.build / "bin" / "live_busy")
    million(tare, busy, asked.runs)
    heap(tare, str(asked.build / "tests" / "live" / "targets" / "hand_written-clang-O2"), asked.runs)
    slowdown(tare, busy, asked.seconds)


if __name__ == "__main__":
    main()
