"""What `tare live` and the program file say about a running service."""

import json
import os
import pathlib
import subprocess

from harness import check


def has_await_table(program):
    """Whether the program has an await table: not if it was built without the command or with sanitizers."""
    return b"\ntare awaits 1\n" in b"\n" + pathlib.Path(program).read_bytes().replace(b"\0", b"\n")


def tare_beside(program):
    """The path of the command, which exists if it was built."""
    return os.path.join(os.path.dirname(os.path.abspath(program)), "tare")


def live_sites(program, pid):
    """The places where `tare live` sees suspended coroutines, heaviest first; None if it cannot run here."""
    command = tare_beside(program)
    if not os.access(command, os.X_OK):
        return None
    ended = subprocess.run([command, "live", str(pid), "--json", "-"], capture_output=True, text=True, timeout=60)
    if ended.returncode == 1 and "ptrace" in ended.stderr.lower():
        return None
    check(ended.returncode == 0, ended.stderr)
    return json.loads(ended.stdout)["sites"]


def frames_from_outside(program, pid):
    """The places where `tare live` sees frames, and their numbers; None in the same cases."""
    sites = live_sites(program, pid)
    if sites is None:
        return None
    counts = {}
    for site in sites:
        place = (site["function"].split("(")[0], site["file"], site["line"])
        counts[place] = counts.get(place, 0) + site["count"]
    return counts
