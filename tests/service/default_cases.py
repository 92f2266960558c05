"""Without --db the items are in the user's state folder, never in the working directory."""

import os
import pathlib
import stat
import subprocess

from harness import Service, check


def environment(**variables):
    """This environment, with the given variables instead of those that name the user's folders."""
    return {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_STATE_HOME")} | variables


def stores_in(program, folder, state, variables):
    """The items are in `state`, and the next service finds them; the working directory stays empty."""
    working = pathlib.Path(folder, "working")
    working.mkdir(exist_ok=True)
    expected = pathlib.Path(state, "tare", "items.db")
    for status in (201, 409):
        with Service(program, default_database=True, folder=folder, cwd=working,
                     env=environment(**variables)) as service:
            service.wait_for(404, path="/items/999999")
            got, _, body = service.ask("POST", "/items", '{"name": "kept", "price": 1}')
            check(got == status, f"{variables}: {got}, not {status}: {body}")
            check(f"the items are in {expected}\n" in service.complaints(), service.complaints())
            service.stop()
    check(expected.is_file(), f"{expected} does not exist")
    check(stat.S_IMODE(expected.parent.stat().st_mode) == 0o700, "other users can read the folder")
    check(not list(working.iterdir()), f"{list(working.iterdir())} in the working directory")


def default_database(program, folder):
    home, state = (pathlib.Path(folder, name) for name in ("home", "state"))
    home.mkdir()
    stores_in(program, folder, state, {"HOME": str(home), "XDG_STATE_HOME": str(state)})
    check(not list(home.iterdir()), "XDG_STATE_HOME is ignored")
    # A relative path must be ignored.
    for number, variables in enumerate(({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"})):
        other = pathlib.Path(folder, f"home{number}")
        other.mkdir()
        stores_in(program, folder, other / ".local" / "state", {"HOME": str(other), **variables})


def no_state_folder(program, folder):
    """If no folder can be created, a message says so, and the exit status is that of a usage error."""
    file = pathlib.Path(folder, "file")
    file.write_text("")
    working = pathlib.Path(folder, "working")
    working.mkdir()
    for variables in ({}, {"HOME": ""}, {"HOME": "relative"}, {"HOME": str(file)}, {"XDG_STATE_HOME": f"{file}/state"}):
        ended = subprocess.run([program, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=20,
                               cwd=working, env=environment(**variables))
        check(ended.returncode == 2, f"{variables}: status {ended.returncode}")
        check(ended.stderr.count("\n") == 1 and "--db is needed" in ended.stderr, ended.stderr)
        check(not list(working.iterdir()), f"{variables}: {list(working.iterdir())} in the working directory")


CASES = {
    "default-database": default_database,
    "no-state-folder": no_state_folder,
}
