#!/usr/bin/env python3
"""Measures the simulation: brings back each defect of mutations.txt, and checks whether the scenarios find it.

    tests/sim/measure.py [OPTIONS] NAME...             these mutations
    tests/sim/measure.py [OPTIONS] --all               those that are not in the table yet
    tests/sim/measure.py [OPTIONS] --missed            those that the table says are not found
    tests/sim/measure.py --check                       builds nothing: the table is up to date with mutations.txt

Each mutation (tests/mutations/) is applied to a copy of the checkout in FOLDER (build/sim-mutations), where the test
programs of the simulation that concern the changed files are built and run one after the other, until a test fails.
Those that search by seed try N seeds (300). All programs must first pass without any mutation. The results are
written to the table (tests/sim/measured.md); rows of mutations that were not run stay as they were.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mutations"))
import run as mutations  # noqa: E402

# The programs, and in which parts of the library they may find a defect. "core" is all below "io".
PROGRAMS = {
    "sim_explore_test": "core",
    "sim_core_test": "core io",
    "sim_test": "core io net",
    "sim_http_peers_test": "http budget",
    "sim_tls_test": "net",
    "sim_http_client_test": "http",
    "sim_http_parts_test": "http",
    "sim_websocket_test": "http",
    "sim_http_test": "io net http",
    "sim_server_test": "http",
    "sim_names_test": "net",
    "sim_streams_test": "net",
    "sim_sqlite_test": "db",
    "sim_postgresql_test": "db",
    "sim_service_test": "http db",
    # These test the simulation itself.
    "sim_disk_test": "",
    "sim_wire_test": "",
}
MISSED = ("not found", "does not apply", "does not compile")
TITLE = "| mutation | what it brings back | found by |\n|---|---|---|\n"


def listed() -> list[str]:
    """The mutations to find, without the exceptions."""
    lines = [line.strip() for line in (HERE / "mutations.txt").read_text().splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def unlisted_programs() -> set[str]:
    made = re.findall(r"^ *(?:tare|explored)_test\((sim_\w+)", (HERE / "CMakeLists.txt").read_text(), re.MULTILINE)
    return set(made) ^ set(PROGRAMS)


def parts(mutation: "mutations.Mutation") -> set[str]:
    """The parts of the library that it changes."""
    found = set()
    for path in re.findall(r"^\+\+\+ b/(\S+)", mutation.path.read_text(), re.MULTILINE):
        folder = re.match(r"(?:src|include/tare)/(\w+)/", path)
        name = folder[1] if folder else "core"
        found.add(name if name in ("io", "net", "http", "db") else "core")
        if "memory_budget" in path:
            found.add("budget")
    return found


class Copy:
    """A copy of the checkout in which the programs are built and run."""

    def __init__(self, work: pathlib.Path, seeds: int, jobs: int, limit: int):
        self.work, self.seeds, self.jobs, self.limit = work, seeds, jobs, limit
        self.folder = work / "build" / "release"
        mutations.copy_checkout(work)
        subprocess.run(["cmake", "--preset", "release"], cwd=work, capture_output=True, check=True)

    def build(self, programs: list[str]) -> str:
        made = subprocess.run(["ninja", "-C", self.folder, f"-j{self.jobs}", *programs], capture_output=True, text=True)
        return (made.stdout + made.stderr)[-2000:] if made.returncode else ""

    def run(self, program: str) -> str:
        """The first test that fails; "" if none does."""
        environment = {**os.environ, "TARE_SIM_SEEDS": str(self.seeds)}
        command = [self.folder / "bin" / program, "--gtest_fail_fast"]
        try:
            # Processor time, because the machine may be busy with something else.
            ran = subprocess.run(["prlimit", f"--cpu={self.limit}", *command], env=environment, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, timeout=20 * self.limit)
        except subprocess.TimeoutExpired as late:
            return self.describe(program, late.stdout or b"", "does not end")
        if ran.returncode == 0:
            return ""
        if -ran.returncode in (signal.SIGXCPU, signal.SIGKILL):
            return self.describe(program, ran.stdout, "does not end")
        return self.describe(program, ran.stdout, f"signal {-ran.returncode}" if ran.returncode < 0 else "")

    @staticmethod
    def describe(program: str, output: bytes, how: str) -> str:
        text = output.decode(errors="replace")
        # After a failure, those that are skipped are printed as if they ran.
        failed = re.findall(r"^\[  FAILED  \] ([\w./]+) \(", text, re.MULTILINE)
        begun = re.findall(r"^\[ RUN      \] (\S+)", text, re.MULTILINE)
        tests = failed[:1] or begun[-1:]
        found = f"{program}: `{tests[0]}`" if tests else program
        fault = re.search(r"TARE_SIM_FAULT=([\w:-]+)", text)
        seed = re.search(r"TARE_SIM_SEED=(\d+)", text)
        if fault:
            found += f", `{fault[1]}`"
        elif seed:
            found += f", seed {seed[1]}"
        return f"{found}, {how}" if how else found

    def outcome(self, mutation: "mutations.Mutation", programs: list[str]) -> str:
        if mutation.patch(self.work).returncode:
            return "does not apply"
        try:
            for program in programs:
                if self.build([program]):
                    return "does not compile"
                if found := self.run(program):
                    return found
            return "not found"
        finally:
            mutation.patch(self.work, "--reverse")

    def check_unchanged(self, programs: list[str]) -> None:
        """Nothing would be worth anything if a program failed without a mutation."""
        if problem := self.build(programs):
            sys.exit(f"the programs cannot be built:\n{problem}")
        for program in programs:
            began = time.monotonic()
            if found := self.run(program):
                sys.exit(f"{found} fails without any mutation")
            print(f"{program} passes unchanged, {time.monotonic() - began:.1f} s", flush=True)


def read_table(table: pathlib.Path) -> dict[str, str]:
    text = table.read_text() if table.exists() else ""
    return dict(re.findall(r"^\| ([\w-]+) \| .* \| (.*) \|$", text, re.MULTILINE))


def table_text(rows: dict[str, str], what: dict[str, str]) -> str:
    names = listed()
    known = [name for name in names if name in rows]
    found = [name for name in known if not rows[name].startswith(MISSED)]
    return ("# Defects that the simulation finds\n\n"
            "`tests/sim/measure.py --all` writes this table. A row says which test failed first, and with which fault "
            "or seed.\n\n"
            f"{len(found)} found, {len(known) - len(found)} not found, {len(names) - len(known)} not yet tried, of the "
            f"{len(names)} in `mutations.txt`.\n\n" + TITLE +
            "".join(f"| {name} | {what[name]} | {rows[name]} |\n" for name in known))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=120, help="seconds of processor time of one program")
    parser.add_argument("--programs", help="only these, with commas between them")
    parser.add_argument("--table", type=pathlib.Path, default=HERE / "measured.md")
    parser.add_argument("--work", type=pathlib.Path, default=mutations.ROOT / "build" / "sim-mutations")
    said = parser.parse_args()
    if not (said.names or said.all or said.missed or said.check):
        parser.error("name mutations of tests/mutations/, or say --all, --missed or --check")
    return said


def main() -> int:
    said = arguments()
    if wrong := unlisted_programs():
        sys.exit("tests/sim/CMakeLists.txt and PROGRAMS differ: " + ", ".join(sorted(wrong)))
    known = {one.name: one for one in mutations.all_mutations()}
    what = {one.name: one.fields.get("What", "") for one in known.values()}
    rows = read_table(said.table)
    if said.check:
        return 0 if said.table.read_text() == table_text(rows, what) else 1
    if wrong := set(said.names) - set(known):
        sys.exit("unknown: " + ", ".join(sorted(wrong)))
    chosen = list(said.names)
    if said.all:
        chosen += [name for name in listed() if name not in rows]
    if said.missed:
        chosen += [name for name in listed() if rows.get(name, "").startswith(MISSED)]
    allowed = said.programs.split(",") if said.programs else list(PROGRAMS)
    programs = {name: [one for one in allowed if parts(known[name]) & set(PROGRAMS[one].split())] for name in chosen}
    copy = Copy(said.work, said.seeds, said.jobs, said.limit)
    copy.check_unchanged([one for one in allowed if any(one in each for each in programs.values())])
    for name in dict.fromkeys(chosen):
        began = time.monotonic()
        result = copy.outcome(known[name], programs[name])
        rows = read_table(said.table) | {name: result}  # somebody else may measure others
        print(f"{name:24} {rows[name]} ({time.monotonic() - began:.0f} s)", flush=True)
        said.table.write_text(table_text(rows, what))
    missed = sum(rows[name].startswith(MISSED) for name in set(chosen))
    print(f"{len(chosen)} mutations, {missed} not found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
