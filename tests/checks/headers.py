#!/usr/bin/env python3
"""Checks what public headers say about their functions:

- Each names the four fixed words, **Errors**, **Cancellation**, **Threads** and **Bytes**, or is listed below with the
  reason.
- `[[nodiscard]]` on a class has a reason, and functions that return a task or another awaitable have none of their own:
  a compiler prints the reason of the type only if the function has no attribute.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUBLIC = ROOT / "include" / "tare"
WORDS = ("Errors", "Cancellation", "Threads", "Bytes")

# Headers without functions that could fail, wait, be called on a wrong thread, or hold memory.
WITHOUT_WORDS = {
    "abi/arena.hpp": "a format",
    "abi/await_section.hpp": "a format",
    "abi/frame_budget.hpp": "a format",
    "broadcast_value.hpp": "a value that broadcast.hpp describes",
    "db.hpp": "includes others",
    "db/error.hpp": "describes errors",
    "db/value_kind.hpp": "an enumeration",
    "error.hpp": "describes errors",
    "frame_budget.hpp": "a macro without run time",
    "http.hpp": "includes others",
    "http/access_entry.hpp": "plain values",
    "http/error.hpp": "describes errors",
    "http/status.hpp": "constants",
    "lifetime_checks.hpp": "macros without run time",
    "net.hpp": "includes others",
    "net/byte_stream.hpp": "a concept",
    "net/direction.hpp": "an enumeration",
    "net/peer_state.hpp": "an enumeration",
    "net/result.hpp": "describes errors",
    "net/tls_options.hpp": "plain values",
    "shard_id.hpp": "a number",
    "sim.hpp": "includes others",
    "tare.hpp": "includes others",
    "version.hpp": "constants",
}

TYPE = re.compile(r"\b(?:class|struct) \[\[nodiscard\]\]")
# The return types whose class has a reason.
AWAITABLE = re.compile(r"\[\[nodiscard\]\]\s+(?:(?:static|inline|constexpr|virtual|TARE_COROUTINE_WRAPPER)\s+)*"
                       r"(?:\w+::)*(?:(?:task|stream|value_or_task|handle)<|\w+_request\b|shielded<)")
# A value, not an awaitable.
VALUES = ("client_request",)


def problems():
    names = {str(file.relative_to(PUBLIC)): file for file in sorted(PUBLIC.rglob("*.hpp"))}
    for name, file in names.items():
        text = file.read_text(encoding="utf-8")
        missing = [word for word in WORDS if f"**{word}**" not in text]
        if "detail" not in file.parts:
            if missing and name not in WITHOUT_WORDS:
                yield file, f"says nothing about {', '.join(missing)}: see CONTRIBUTING.md, \"Style\""
            if not missing and name in WITHOUT_WORDS:
                yield file, "has all fixed words: remove it from the list in tests/checks/headers.py"
        for found in TYPE.finditer(text):
            yield file, f"line {line_of(text, found)}: give [[nodiscard]] a reason"
        for found in AWAITABLE.finditer(text):
            if not found[0].endswith(VALUES):
                yield file, (f"line {line_of(text, found)}: remove [[nodiscard]], which hides the reason that the "
                             "returned type has")
    for name in WITHOUT_WORDS:
        if name not in names:
            yield PUBLIC / name, "does not exist: remove it from the list in tests/checks/headers.py"


def line_of(text: str, found: re.Match) -> int:
    return text.count("\n", 0, found.start()) + 1


def main() -> int:
    found = list(problems())
    for file, problem in found:
        print(f"{file.relative_to(ROOT)}: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
