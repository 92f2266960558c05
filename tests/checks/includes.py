#!/usr/bin/env python3
"""Checks that dependencies point one way: what each folder may include, as CONTRIBUTING.md describes. Also checks that
a source includes the header of the same name first, which proves that each header compiles on its own."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Folders of the library, and the folders of src/ whose headers each may include.
LIBRARY = {
    "frame": {"frame"},
    "timer": {"frame", "timer"},
    "sched": {"frame", "timer", "sched"},
    "sync": {"frame", "timer", "sched", "sync"},
    "io": {"frame", "timer", "sched", "sync", "io"},
    "net": {"frame", "timer", "sched", "sync", "io", "net"},
    "http": {"frame", "timer", "sched", "sync", "io", "net", "http"},
    "db": {"frame", "timer", "sched", "sync", "io", "net", "db"},
    "symbols": {"sched", "symbols"},
    "metrics": {"metrics"},
    "sim": {"frame", "timer", "sched", "sim"},
    "tracing": {"tracing"},
}

# Layers whose public headers are in their own folders.
LAYERS = ("net", "http", "db", "sim")

# Interfaces that a lower folder calls and a higher one implements.
INTERFACES = {("timer", "sched/driver.hpp")}

# Folders of the tools, the top-level folders whose headers each may include, and which headers of the library.
TOOLS = {
    "base": ({"base"}, r"$^"),
    "measure": ({"base", "measure"}, r"$^"),
    "inspect/facts": ({"base", "inspect/facts"}, r"$^"),
    "inspect": ({"base", "inspect"}, r"tare/abi/"),
    "load": ({"base", "measure", "load"}, r"tare/"),
    # It awaits the tasks of load/.
    "cli": ({"base", "measure", "inspect", "load", "cli"}, r"tare/(version|sleep)\.hpp|tare/abi/"),
    "compiler": ({"compiler"}, r"$^"),
}
WITHOUT_LLVM = ("base", "measure", "inspect/facts", "load", "cli")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def files_of(folder: str):
    return sorted(file for ending in ("hpp", "cpp") for file in (ROOT / folder).rglob(f"*.{ending}"))


def is_in(header: str, folder: str) -> bool:
    return header.startswith(folder + "/")


def own_header(file: pathlib.Path) -> str:
    """The header of the same name: in the same folder, or the public one if the source is in src/; '' if none."""
    beside = file.with_suffix(".hpp")
    if beside.exists():
        return beside.name
    part = file.parent.name
    if file.parent.parent == ROOT / "src":
        for folder in (f"tare/{part}/", "tare/", "tare/detail/", "tare/abi/"):
            if (ROOT / "include" / folder / beside.name).exists() and (part not in LAYERS or folder == f"tare/{part}/"):
                return folder + beside.name
    return ""


def sources_without_own_header():
    for folder in sorted({"src", "examples", "tests"} | {tool.split("/")[0] for tool in TOOLS}):
        for file in files_of(folder):
            own = own_header(file) if file.suffix == ".cpp" else ""
            includes = INCLUDE.findall(file.read_text()) if own else []
            if own and (not includes or not ("/" + includes[0]).endswith("/" + own)):
                yield file, f"the first header must be its own, {own}"


def problems():
    yield from sources_without_own_header()
    for name, allowed in LIBRARY.items():
        for file in files_of(f"src/{name}"):
            for header in INCLUDE.findall(file.read_text()):
                part = header.split("/")[0]
                if part in LIBRARY and part not in allowed and (name, header) not in INTERFACES:
                    yield file, f"src/{name} must not include {header}"
                if any(is_in(header, tool) for tool in TOOLS):
                    yield file, f"the library must not include the tools' {header}"
    for name, (allowed, of_library) in TOOLS.items():
        for file in files_of(name):
            if name == "inspect" and is_in(str(file.relative_to(ROOT)), "inspect/facts"):
                continue
            for header in INCLUDE.findall(file.read_text()):
                if any(is_in(header, tool) for tool in TOOLS) and not any(is_in(header, one) for one in allowed):
                    yield file, f"{name} must not include {header}"
                if header.startswith("tare/") and not re.match(of_library, header):
                    yield file, f"{name} must not include the library's {header}"
                if header.startswith("llvm/") and name in WITHOUT_LLVM:
                    yield file, f"{name} must not include LLVM's {header}"
    for file in files_of("include"):
        for header in INCLUDE.findall(file.read_text()):
            if not header.startswith("tare/") and "/" in header and (ROOT / "src" / header).exists():
                yield file, f"public headers must not include {header} of src/"


def main() -> int:
    found = list(problems())
    for file, problem in found:
        print(f"{file.relative_to(ROOT)}: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
