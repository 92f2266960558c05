#!/usr/bin/env python3
"""Checks that `tare COMMAND --help`, the manual page and docs/tools.md have the same options.

    options.py TARE ROOT
"""

import pathlib
import re
import subprocess
import sys

OPTION = re.compile(r"--[a-z][a-z-]*")


def of_help(tare: str, command: str) -> set[str]:
    text = subprocess.run([tare, command, "--help"], capture_output=True, text=True, check=True).stdout
    return {found for line in text.splitlines()
            if (found := next(iter(OPTION.findall(line[:40])), None)) and re.match(r"  -", line)}


def of_page(page: pathlib.Path) -> set[str]:
    """The options in bold in the section on options."""
    section = re.search(r"^\.SH OPTIONS\n(.*?)^\.SH ", page.read_text(), re.MULTILINE | re.DOTALL)
    bold = [line for line in section[1].splitlines() if line.startswith((".B", "\\fB"))] if section else []
    return {option for line in bold for option in OPTION.findall(line.replace("\\-", "-"))}


def mentioned(text: str) -> set[str]:
    return set(OPTION.findall(text))


def main() -> int:
    tare, root = sys.argv[1], pathlib.Path(sys.argv[2])
    tools = mentioned((root / "docs" / "tools.md").read_text())
    problems = []
    for page in sorted((root / "docs" / "man").glob("tare-*.1")):
        command = page.stem.removeprefix("tare-")
        offered, written = of_help(tare, command) - {"--help"}, of_page(page) - {"--help"}
        problems += [f"docs/man/{page.name} does not describe {option}" for option in sorted(offered - written)]
        problems += [f"docs/man/{page.name} describes {option}, which the command does not have"
                     for option in sorted(written - offered)]
        problems += [f"docs/tools.md does not mention {option} of tare {command}" for option in sorted(offered - tools)]
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
