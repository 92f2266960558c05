#!/usr/bin/env python3
"""Writes the seeds of the fuzz target `await_tables`: a table that the command made, and damaged copies of it.

    python3 tests/fuzz/make_await_tables.py build/release/bin/tare build/release/bin/example_leak \
        tests/fuzz/corpus/await_tables
"""

import pathlib
import subprocess
import sys


def main():
    command, binary, folder = sys.argv[1:]
    made = subprocess.run([command, "frames", binary, "--await-table", "-"], check=True, capture_output=True, text=True)
    head, *coroutines = made.stdout.removesuffix("end\n").split("\nc ")
    # A few are enough. The paths are replaced because they say where it was built.
    lines = "\nc ".join([head, *coroutines[:4]]).rstrip("\n").splitlines()
    table = "\n".join("f /src/" + pathlib.PurePath(line).name if line.startswith("f ") else line for line in lines)
    table += "\nend\n"
    seeds = {
        "made": table,
        "cut": table[: len(table) // 2],
        "later-version": table.replace("awaits 1", "awaits 2", 1),
        "no-file": "".join(line for line in table.splitlines(True) if not line.startswith("f ")),
        "of-gcc": table.replace(" c ", " g "),
        "no-index": "tare awaits 1\nbuild 00ff\nf a.cpp\nc 10 20 30 g 32 48 0 0 0 1 f()\na 0 b 0 2\nend\n",
        "empty": "tare awaits 1\nbuild 00ff\nend\n",
    }
    for name, text in seeds.items():
        pathlib.Path(folder, name).write_text(text)


if __name__ == "__main__":
    main()
