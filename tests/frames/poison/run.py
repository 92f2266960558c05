#!/usr/bin/env python3
"""The poison test: is a byte that `tare frames` calls dead ever used?

Random coroutines (generate.py) are built by several compilers and run twice: as they are, and with every byte
overwritten before each resumption that `tare frames --json` calls dead there. The results must be the same, and every
place where one was suspended must be among those that are listed.

  run.py --command build/release/bin/tare --plugin build/release/lib/tare-frames-pass.so --all
"""

import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = ["-std=c++23", "-g", "-w"]
BUILDS = {
    "clang-O0": ("clang", ["-O0"]),
    "clang-O1": ("clang", ["-O1"]),
    "clang-O2": ("clang", ["-O2"]),
    "plugin-O2": ("plugin", ["-O2"]),
    "gcc-O0": ("gcc", ["-O0"]),
    "gcc-O2": ("gcc", ["-O2"]),
    # Only on request.
    "clang-Os": ("clang", ["-Os"]),
    "plugin-O0": ("plugin", ["-O0"]),
    "plugin-O1": ("plugin", ["-O1"]),
    "clang-lto": ("clang", ["-O2", "-flto", "-fuse-ld=lld"]),
    "clang-thinlto": ("clang", ["-O2", "-flto=thin", "-fuse-ld=lld"]),
    "gcc-O1": ("gcc", ["-O1"]),
    "gcc-Os": ("gcc", ["-Os"]),
    "asan-O0": ("clang", ["-O0", "-fsanitize=address"]),
    "asan-O1": ("clang", ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]),
    "asan-O2": ("clang", ["-O2", "-fsanitize=address"]),
    "tsan-O1": ("clang", ["-O1", "-fsanitize=thread"]),
    "gcc-asan-O2": ("gcc", ["-O2", "-fsanitize=address"]),
}
USUAL = list(BUILDS)[:6]
PLUGIN = "frames-pass.so"
# Both values of every bit: only the lowest bit of a bool is read.
PATTERNS = ("0xa5", "0x5a")


def output_of(command, **how):
    done = subprocess.run(command, capture_output=True, text=True, **how)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}{done.stdout[-2000:]}")
    return done.stdout


def addresses(program):
    """Of the functions that resume and destroy, by the coroutine's linkage name."""
    found = collections.defaultdict(lambda: [0, 0])
    for line in output_of(["nm", program]).splitlines():
        words = line.split()
        if len(words) != 3:
            continue
        match = re.match(r"(.*?)(?:\.(resume|actor)|\.(destroy|cleanup))(?:\.llvm\.\d+|\.lto_priv\.\d+)?$", words[2])
        if match and not words[2].endswith(".cleanup"):
            # g++: "..._ZN6poison2c1Ev.Frame.actor", after the frame's own mangled parameters.
            name = match[1].removesuffix(".Frame")
            found[name[name.rindex("_Z"):] if name != match[1] else name][0 if match[2] else 1] = int(words[0], 16)
    return found


def table(report, program):
    """What driver.cpp reads."""
    functions = addresses(program)
    lines = []
    for one in report["coroutines"]:
        index = [field for field in one["fields"]
                 if field["kind"] == "abi" and re.search("index|resume_idx", field["name"])]
        place = (index[0]["offset"], index[0]["bytes"]) if index else (0, 0)
        resume, destroy = functions[one["linkage_name"]]
        lines.append(f"c {resume} {destroy} {place[0]} {place[1]}")
        for await_ in one["awaits"]:
            dead = [f"{part['offset']} {part['offset'] + part['bytes']}" for part in await_["variables"]
                    if part["state"] == "dead"]
            lines.append(f"a {await_['index']} {await_['kind']} {' '.join(dead)}")
    return "\n".join(lines) + "\n"


def compile_in(folder, command, source, made):
    """Through ccache where it is installed. The folder has another name each time, so it must not be in the hash."""
    launcher = shutil.which("ccache")
    environment = dict(os.environ, CCACHE_BASEDIR=folder)
    plugin = os.path.join(folder, PLUGIN)
    if os.path.exists(plugin):
        environment["CCACHE_EXTRAFILES"] = plugin  # ccache does not hash it by itself
    output_of([*([launcher] if launcher else []), *command, f"-ffile-prefix-map={folder}=.", "-c", source, "-o", made],
              cwd=folder, env=environment)


def compiled(options, build, source, program):
    compiler, flags = BUILDS[build]
    folder = os.path.dirname(program)
    command = [options.gcc if compiler == "gcc" else options.clang, *FLAGS, *flags, "-no-pie"]
    if compiler == "plugin":
        command.append(f"-fpass-plugin=./{PLUGIN}")
    compile_in(folder, command, source, os.path.basename(program) + ".o")
    output_of([*command, program + ".o", driver(options, build, folder), "-o", program], cwd=folder)


def driver(options, build, folder):
    """An object file, the same for all seeds of a build; apart from those with LTO, it need not be optimized."""
    compiler, flags = BUILDS[build]
    lto = [flag for flag in flags if flag.startswith("-flto")]
    built = os.path.join(folder, f"driver-{build}.o")
    if not os.path.exists(built):
        command = options.gcc if compiler == "gcc" else options.clang
        compile_in(folder, [command, *FLAGS, *(flags if lto else ["-O0"])], "driver.cpp", os.path.basename(built))
    return built


def results(text):
    return {words[0]: words[1:] for words in map(str.split, text.splitlines())}


class Totals:
    def __init__(self):
        self.coroutines = 0
        self.used = []
        self.unlisted = []
        self.bytes = collections.Counter()

    def add_bytes(self, report):
        for one in report["coroutines"]:
            if not re.match(r"poison::\w+\(", one["name"]):
                continue
            for await_ in one["awaits"]:
                for state in ("live", "held", "dead"):
                    self.bytes[state] += await_[f"{state}_bytes"]
                if await_["known_by"] == "whole frame":
                    self.bytes["whole"] += 1
                self.bytes["awaits"] += 1

    def text(self, build):
        every = max(1, sum(self.bytes[state] for state in ("live", "held", "dead")))
        share = ", ".join(f"{state} {100 * self.bytes[state] / every:.1f} %" for state in ("live", "held", "dead"))
        return (f"{build}: {self.coroutines} coroutines, {len(self.used)} with a used byte called dead, "
                f"{len(self.unlisted)} suspended where no await is listed; {share}; "
                f"{self.bytes['whole']} of {self.bytes['awaits']} awaits as a whole frame")


def check(options, build, seed, folder, totals):
    source = f"seed{seed}.cpp" if seed else "cases.cpp"
    if seed != 0:
        with open(os.path.join(folder, source), "w", encoding="utf-8") as out:
            out.write(generate.program(seed, options.coroutines))
    program = os.path.join(folder, f"seed{seed}-{build}")
    compiled(options, build, source, program)
    report = json.loads(output_of([options.command, "frames", "--json", "-", program]))
    with open(program + ".table", "w", encoding="utf-8") as out:
        out.write(table(report, program))
    totals.add_bytes(report)
    plain = results(output_of([program]))
    totals.coroutines += len(plain)
    for pattern in PATTERNS:
        poisoned = results(output_of([program, program + ".table", pattern]))
        for name, (checksum, _) in plain.items():
            if checksum == "crashed":
                sys.exit(f"seed {seed}, {build}: {name} crashes by itself")
            where = f"seed {seed} {name}"
            if poisoned[name][0] != checksum and where not in totals.used:
                totals.used.append(where)
            if int(poisoned[name][1]) > 0 and where not in totals.unlisted:
                totals.unlisted.append(where)


def seeds(text):
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", required=True, help="the tare command")
    parser.add_argument("--plugin", default="", help="tare-frames-pass.so; without it the builds with it are left out")
    parser.add_argument("--clang", default="clang++-22")
    parser.add_argument("--gcc", default="g++-12")
    parser.add_argument("--builds", default=",".join(USUAL), help="of " + ", ".join(BUILDS))
    parser.add_argument("--seeds", type=seeds, default=seeds("0-4"), help="for example 0,7 or 1-40; 0: cases.cpp")
    parser.add_argument("--coroutines", type=int, default=50, help="for each seed")
    parser.add_argument("--all", action="store_true", help="2,000 coroutines in all builds")
    parser.add_argument("--keep", default="", help="a folder for the programs and tables")
    options = parser.parse_args()
    builds = list(BUILDS) if options.all else options.builds.split(",")
    if options.all:
        options.seeds = seeds("0-40")
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.realpath(options.keep or temporary)
        os.makedirs(folder, exist_ok=True)
        for name in ("cases.cpp", "driver.cpp", "harness.hpp"):
            shutil.copy(os.path.join(HERE, name), folder)
        if options.plugin:
            shutil.copy(options.plugin, os.path.join(folder, PLUGIN))
        for build in builds:
            if BUILDS[build][0] == "plugin" and not options.plugin:
                print(f"{build}: left out, there is no plugin")
                continue
            totals = Totals()
            for seed in options.seeds:
                check(options, build, seed, folder, totals)
            print(totals.text(build), flush=True)
            for title, places in (("used byte called dead", totals.used), ("await not listed", totals.unlisted)):
                for place in places:
                    print(f"  {title}: {place}")
            bad += len(totals.used) + len(totals.unlisted)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
