"""A database for the tests of `tare weigh --connections --kind database`, and a server that waits for it.

    database.py database PORT [FAULT]     is told to lock and to release a file
    database.py server PORT [FAULT]       responds with an item once it has the file's lock

The faults of the database: dies, prints-nothing, cannot-lock. Those of the server: wrong-body, unreachable,
does-not-wait.
"""

import fcntl
import http.server
import os
import signal
import socketserver
import sys
import tempfile

ROLE, PORT = sys.argv[1], int(sys.argv[2])
FAULT = sys.argv[3] if len(sys.argv) > 3 else ""
BODY = '{"id":1}'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    held = None
    waited = False

    def do_GET(self):
        status, body = self.control() if ROLE == "database" else self.item()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def control(self):
        if self.path == "/lock" and FAULT != "cannot-lock":
            fcntl.flock(self.held, fcntl.LOCK_EX)
        elif self.path == "/release":
            fcntl.flock(self.held, fcntl.LOCK_UN)
        else:
            return 500, ""
        return 200, ""

    def item(self):
        if FAULT == "unreachable":
            return 503, "no database"
        with open(os.environ["DATABASE_URL"]) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if FAULT == "does-not-wait":
                    return 200, BODY
                fcntl.flock(file, fcntl.LOCK_SH)
                if FAULT == "wrong-body":
                    return 200, '{"id":2}'
        return 200, BODY + "\n"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024


if FAULT == "dies":
    sys.exit("no disk")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with Server(("127.0.0.1", PORT), Handler) as server:
    if ROLE == "database":
        Handler.held = tempfile.NamedTemporaryFile(prefix="tare-test-")
        url = "" if FAULT == "prints-nothing" else f"url={Handler.held.name}\n"
        print(f"{url}path=/items/1\nbody={BODY}\nREADY", flush=True)
    server.serve_forever()
