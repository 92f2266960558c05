#!/usr/bin/env python3
"""Measures the simulation: brings back each defect of mutations.txt, and checks whether the scenarios find it.

    tests/sim/measure.py [--work FOLDER] [--seeds N] [--programs A,B] [--table FILE] NAME...   these
    tests/sim/measure.py [--work FOLDER] [--seeds N] [--programs A,B] [--table FILE] --all     each one

Each mutation (tests/mutations/) is applied to a copy of the checkout in FOLDER (build/mutations), where the test
programs of the simulation are built and run, with N seeds (1,000) for those that search by seed. It is found if a
program fails. --table writes a table in Markdown; rows of mutations that were not run stay as they were.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mutations"))
import run as mutations  # noqa: E402

PROGRAMS = ["sim_explore_test", "sim_http_test", "sim_test"]
SECONDS = 300
TITLE = "| mutation | what it brings back | found by |\n|---|---|---|\n"


def listed() -> tuple[list[str], list[str]]:
    """The mutations to find, and the exceptions."""
    lines = [line.strip() for line in (HERE / "mutations.txt").read_text().splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    return ([line for line in lines if not line.startswith("-")],
            [line[1:].split(":")[0].strip() for line in lines if line.startswith("-")])


def found_by(work: pathlib.Path, programs: list[str], seeds: int) -> str:
    """The first test that fails; "" if none does."""
    for program in programs:
        path = work / "build" / "release" / "bin" / program
        if not path.exists():
            continue
        environment = {**os.environ, "TARE_SIM_SEEDS": str(seeds)}
        try:
            ran = subprocess.run([path, "--gtest_brief=1"], env=environment, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"{program}: does not end"
        if ran.returncode == 0:
            continue
        text = (ran.stdout + ran.stderr).decode(errors="replace")
        failed = re.search(r"\[  FAILED  \] (\S+)", text)
        fault = re.search(r"TARE_SIM_FAULT=(\S+)", text)
        seed = re.search(r"TARE_SIM_SEED=(\d+)", text)
        where = f"`{failed[1]}`" if failed else f"{program}: the program ends by signal {-ran.returncode}"
        if fault:
            return f"{where}, `{fault[1]}`"
        return f"{where}, seed {seed[1]}" if seed else where
    return ""


def outcome(mutation: "mutations.Mutation", work: pathlib.Path, programs: list[str], seeds: int) -> str:
    if mutation.patch(work).returncode:
        return "does not apply"
    try:
        for command in (["cmake", "--preset", "release"],
                        ["cmake", "--build", "--preset", "release", "--target", *programs]):
            made = subprocess.run(command, cwd=work, capture_output=True, text=True)
            if made.returncode:
                return "does not compile"
        return found_by(work, programs, seeds) or "not found"
    finally:
        mutation.patch(work, "--reverse")


def write_table(table: pathlib.Path, results: dict[str, str], what: dict[str, str]) -> None:
    rows = {}
    if table.exists():
        for name, by in re.findall(r"^\| (\S+) \| .* \| (.*) \|$", table.read_text(), re.MULTILINE):
            rows[name] = by
    rows |= results
    names, exceptions = listed()
    known = [name for name in names if name in rows]
    found = [name for name in known if not rows[name].startswith(("not found", "does not"))]
    table.write_text(
        "# Defects that the simulation finds\n\n"
        "`tests/sim/measure.py --all --table tests/sim/measured.md` writes this table.\n\n"
        f"{len(found)} found, {len(known) - len(found)} not found, {len(names) - len(known)} not yet tried, of the "
        f"{len(names)} in `mutations.txt`.\n\n" + TITLE +
        "".join(f"| {name} | {what[name]} | {rows[name]} |\n" for name in known))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=mutations.ROOT / "build" / "mutations")
    said = parser.parse_args()
    names, _ = listed()
    known = {one.name: one for one in mutations.all_mutations()}
    chosen = names if said.all else said.names
    if not chosen or set(chosen) - set(known):
        parser.error("name mutations of tests/mutations/, or say --all")
    what = {one.name: one.fields.get("What", "") for one in known.values()}
    mutations.copy_checkout(said.work)
    results = {}
    for name in chosen:
        results[name] = outcome(known[name], said.work, said.programs.split(","), said.seeds)
        print(f"{name:24} {results[name]}", flush=True)
        if said.table:
            write_table(said.table, results, what)
    missed = sum(by.startswith(("not found", "does not")) for by in results.values())
    print(f"{len(results)} mutations, {missed} not found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
