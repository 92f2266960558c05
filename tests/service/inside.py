"""What `tare live` and the program's own file say about a running service."""

import json
import os
import pathlib
import subprocess

from harness import check


def has_await_table(program):
    """A build without the command has none, nor has one with sanitizers."""
    return b"\ntare awaits 1\n" in b"\n" + pathlib.Path(program).read_bytes().replace(b"\0", b"\n")


def tare_beside(program):
    """The command, if this build has it."""
    return os.path.join(os.path.dirname(os.path.abspath(program)), "tare")


def live_sites(program, pid):
    """Where `tare live` sees suspended coroutines, heaviest first; None where it is not there or may not look."""
    command = tare_beside(program)
    if not os.access(command, os.X_OK):
        return None
    ended = subprocess.run([command, "live", str(pid), "--json", "-"], capture_output=True, text=True, timeout=60)
    if ended.returncode == 1 and "ptrace" in ended.stderr.lower():
        return None
    check(ended.returncode == 0, ended.stderr)
    return json.loads(ended.stdout)["sites"]


def frames_from_outside(program, pid):
    """The places where `tare live` sees frames, and how many; None likewise."""
    sites = live_sites(program, pid)
    if sites is None:
        return None
    counts = {}
    for site in sites:
        place = (site["function"].split("(")[0], site["file"], site["line"])
        counts[place] = counts.get(place, 0) + site["count"]
    return counts
