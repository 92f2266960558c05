#!/usr/bin/env python3
"""Runs clang-tidy on the files that have changed since they last passed.

    tests/checks/tidy.py BUILD_FOLDER

A file is checked again if it, a header that it includes, its compiler options, the checks, or clang-tidy itself has
changed. Files that have passed are recorded in $XDG_CACHE_HOME/tare/tidy (~/.cache/tare/tidy) by hashes of their
contents. So another checkout of the same sources is not checked again, and a fresh machine checks everything.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

CLANG_TIDY = "clang-tidy-22"
FOLDERS = ("include", "src", "base", "measure", "compiler", "inspect", "load", "cli", "bench", "examples", "tests")


@functools.cache
def hash_of_file(path: str) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def hash_of(parts) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class Checker:
    def __init__(self, build: pathlib.Path):
        self.root = pathlib.Path(__file__).resolve().parents[2]
        self.build = build.resolve()
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        self.cache = pathlib.Path(cache) / "tare" / "tidy"
        self.cache.mkdir(parents=True, exist_ok=True)
        version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, text=True, check=True).stdout
        # Those in build folders are copies, and how many there are depends on what has been configured.
        files = [self.root / ".clang-tidy"]
        for folder in FOLDERS:
            files += (self.root / folder).glob("**/.clang-tidy")
        checks = [hash_of_file(str(file)) for file in sorted(files)]
        self.tools = hash_of([version, *checks])
        # Files that are compiled as one are included by a path relative to the build folder.
        from_build = os.path.relpath(self.root, self.build)
        self.filter = f"^({re.escape(str(self.root))}|\\./{re.escape(from_build)})/({'|'.join(FOLDERS)})/"

    def relative(self, text: str) -> str:
        return text.replace(str(self.root), ".")

    def entries(self):
        for entry in json.loads((self.build / "compile_commands.json").read_text()):
            # Also several tests that are compiled as one: a generated file that includes them.
            path = pathlib.Path(os.path.relpath(entry["file"], self.root))
            if path.parts[0] in FOLDERS or path.parent.name == "Unity":
                yield entry

    def included_files(self, entry) -> list[str]:
        """The file and everything that it includes; paths in the checkout are relative to it."""
        words = shlex.split(entry["command"])
        while "-o" in words:
            at = words.index("-o")
            del words[at : at + 2]
        words = [word for word in words if word not in ("-c", "-MD", "-Werror")]
        made = subprocess.run([*words, "-M"], cwd=entry["directory"], capture_output=True, text=True)
        if made.returncode != 0:
            return []
        names = shlex.split(made.stdout.replace("\\\n", " "))[1:]
        return [self.relative(os.path.normpath(os.path.join(entry["directory"], name))) for name in names]

    def hash_of_included(self, key: str, names: list[str]) -> str | None:
        try:
            # Generated files contain paths of their own checkout; their sources are hashed with the files that include
            # them.
            hashes = [name if name.startswith("./build/") else f"{name} {hash_of_file(self.absolute(name))}"
                      for name in names]
        except OSError:
            return None
        return hash_of([key, *hashes])

    def absolute(self, name: str) -> str:
        return str(self.root / name) if name.startswith(".") else name

    def passes(self, entry) -> tuple[str, bool, str]:
        name = os.path.relpath(entry["file"], self.root)
        key = hash_of([self.tools, self.relative(entry["command"])])
        included = self.cache / f"{key}.included"
        if included.exists():
            state = self.hash_of_included(key, included.read_text().splitlines())
            if state and (self.cache / state).exists():
                return name, True, ""
        ran = subprocess.run(
            [CLANG_TIDY, "-p", str(self.build), "-quiet", f"-header-filter={self.filter}", entry["file"]],
            capture_output=True, text=True)
        if ran.returncode != 0:
            return name, False, ran.stdout + ran.stderr
        names = self.included_files(entry)
        state = self.hash_of_included(key, names)
        if names and state:
            included.write_text("\n".join(names))
            (self.cache / state).touch()
        return name, True, "looked at"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    checker = Checker(pathlib.Path(sys.argv[1]))
    failed = looked_at = total = 0
    jobs = int(os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for name, passed, said in pool.map(checker.passes, checker.entries()):
            total += 1
            looked_at += bool(said)
            if not passed:
                failed += 1
                print(f"{name}:\n{said}")
    print(f"clang-tidy: {total} files, {looked_at} looked at, {failed} failed")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
