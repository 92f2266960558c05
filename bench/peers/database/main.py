"""A database for the kind of connections `database`, whose table can be locked: main.py postgresql|sqlite PORT

It makes a table with items, prints what a server needs, and READY. Then GET /lock and GET /release on PORT lock the
table, and release it. With PostgreSQL a locked table cannot be read; with SQLite the only writer is inside a
transaction, and the others wait.
"""

import contextlib
import http.server
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "service"))

from harness import Postgresql, Skipped, locked_table  # noqa: E402

# The table of examples/service.
POSTGRESQL = """CREATE TABLE items (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL UNIQUE,
                                    price DOUBLE PRECISION NOT NULL);
                INSERT INTO items (name, price) SELECT 'item ' || i, i * 0.25 FROM generate_series(1, 1000) AS i"""
SQLITE = """PRAGMA journal_mode = WAL;
            CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price REAL NOT NULL);
            WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 1000)
            INSERT INTO items (name, price) SELECT 'item ' || i, i * 0.25 FROM numbers"""


@contextlib.contextmanager
def postgresql(folder):
    """Yields its URL, and a function whose context locks the table."""
    database = Postgresql(folder)
    database.start()
    try:
        url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"
        psql = [f"{database.programs}/psql", url, "-qAtc"]
        for _ in range(200):
            if subprocess.run(psql + ["SELECT 1"], capture_output=True).returncode == 0:
                break
            time.sleep(0.05)
        subprocess.run(psql + [POSTGRESQL], check=True)
        yield url, lambda: locked_table(database)
    finally:
        database.stop()


@contextlib.contextmanager
def sqlite(folder):
    file = f"{folder}/items.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as here:
        here.executescript(SQLITE)

        @contextlib.contextmanager
        def locked():
            here.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                here.execute("ROLLBACK")

        yield f"sqlite:{file}", locked


class Control(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = None  # set before it serves
    held = contextlib.ExitStack()

    def do_GET(self):
        status = 200
        if self.path == "/lock":
            self.held.enter_context(self.lock())
        elif self.path == "/release":
            self.held.close()
        else:
            status = 404
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    databases = {"postgresql": postgresql, "sqlite": sqlite}
    if len(sys.argv) != 3 or sys.argv[1] not in databases or not sys.argv[2].isdigit():
        sys.exit("usage: main.py postgresql|sqlite PORT")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="tare-database-") as folder:
        try:
            with databases[sys.argv[1]](folder) as (url, lock), Control.held:
                Control.lock = staticmethod(lock)
                with http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Control) as server:
                    print(f'url={url}\npath=/items/1\nbody={{"id":1,"name":"item 1","price":0.25}}\nREADY', flush=True)
                    server.serve_forever()
        except Skipped as why:
            sys.exit(str(why))


if __name__ == "__main__":
    main()
