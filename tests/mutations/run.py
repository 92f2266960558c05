#!/usr/bin/env python3
"""Brings back defects that have been fixed, and checks that the tests find them.

    tests/mutations/run.py [--preset PRESET] [--work FOLDER] NAME...   builds and tests with each of these mutations
    tests/mutations/run.py [--preset PRESET] [--work FOLDER] --all     with each mutation
    tests/mutations/run.py --check                                     checks that all of them apply; builds nothing
    tests/mutations/run.py --list

A mutation is a patch in this folder, NAME.patch. Its first lines say which finding it brings back (Finding), what it
does (What), which tests must find it (Found-by, a regular expression for `ctest -R`), in which build (Preset, default
release), and which targets must be built (Targets). The mutations are applied one at a time to a copy of the checkout
in FOLDER (build/mutations), which is compiled there.
"""

import argparse
import filecmp
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FIELD = re.compile(r"^(Finding|What|Found-by|Targets|Preset): *(.+)$")


class Mutation:
    def __init__(self, path: pathlib.Path):
        self.path = path
        self.name = path.stem
        self.fields = {}
        for line in path.read_text().splitlines():
            if line.startswith(("diff ", "--- ")):
                break
            if match := FIELD.match(line):
                self.fields[match[1]] = match[2].strip()

    def missing_fields(self) -> list[str]:
        return [field for field in ("Finding", "What", "Found-by", "Targets") if field not in self.fields]

    def patch(self, folder: pathlib.Path, *options: str) -> subprocess.CompletedProcess:
        with self.path.open() as file:
            return subprocess.run(["patch", "-p1", "--force", "--fuzz=2", "--no-backup-if-mismatch", *options],
                                  cwd=folder, stdin=file, capture_output=True, text=True)

    def problem(self) -> str:
        if missing := self.missing_fields():
            return "has no line " + ", ".join(missing)
        tried = self.patch(ROOT, "--dry-run")
        return "does not apply:\n" + tried.stdout if tried.returncode else ""


def all_mutations() -> list[Mutation]:
    return [Mutation(path) for path in sorted(HERE.glob("*.patch"))]


def copy_checkout(work: pathlib.Path) -> None:
    """Unchanged files are not touched, so that nothing is compiled unnecessarily."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    names = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for old in work.rglob("*"):
        name = old.relative_to(work).as_posix()
        if old.is_file() and not name.startswith("build/") and name not in names:
            old.unlink()
    for name in names:
        source, copy = ROOT / name, work / name
        if not copy.exists() or not filecmp.cmp(source, copy, shallow=False):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)  # without its time, which may be before that of the last build here


def outcome(mutation: Mutation, preset: str | None, work: pathlib.Path) -> str:
    """"found by ...", "not found", or why it could not be tested."""
    preset = preset or mutation.fields.get("Preset", "release")
    if mutation.patch(work).returncode:
        return "does not apply"
    try:
        for command in (["cmake", "--preset", preset],
                        ["cmake", "--build", "--preset", preset, "--target", *mutation.fields["Targets"].split()]):
            made = subprocess.run(command, cwd=work, capture_output=True, text=True)
            if made.returncode:
                return "does not compile:\n" + (made.stdout + made.stderr)[-2000:]
        ran = subprocess.run(["ctest", "--preset", preset, "-R", mutation.fields["Found-by"], "--timeout", "120"],
                             cwd=work, capture_output=True, text=True)
        # GoogleTest's parameter may follow the name.
        failed = re.findall(r"^\s*\d+ - (\S+) .*\([^()]+\)$", ran.stdout, re.MULTILINE)
        if failed:
            return "found by " + ", ".join(failed)
        return "not found" if ran.returncode == 0 else "no test has run:\n" + ran.stdout[-500:]
    finally:
        mutation.patch(work, "--reverse")


def run(mutations: list[Mutation], preset: str | None, work: pathlib.Path) -> int:
    copy_checkout(work)
    missed = 0
    for mutation in mutations:
        result = outcome(mutation, preset, work)
        missed += not result.startswith("found by")
        print(f"{mutation.name:24} {result}", flush=True)
    print(f"{len(mutations)} mutations, {missed} not found")
    return 1 if missed else 0


def check(mutations: list[Mutation]) -> int:
    problems = [(one.name, problem) for one in mutations if (problem := one.problem())]
    for name, problem in problems:
        print(f"tests/mutations/{name}.patch {problem}")
    return 1 if problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--preset")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "mutations")
    said = parser.parse_args()
    mutations = all_mutations()
    if said.check:
        return check(mutations)
    if said.list:
        for one in mutations:
            print(f"{one.name:24} {one.fields.get('Finding', ''):16} {one.fields.get('What', '')}")
        return 0
    unknown = set(said.names) - {one.name for one in mutations}
    if unknown or not (said.names or said.all):
        parser.error("unknown: " + ", ".join(sorted(unknown)) if unknown else "name a mutation, or say --all")
    return run([one for one in mutations if said.all or one.name in said.names], said.preset, said.work)


if __name__ == "__main__":
    sys.exit(main())
