"""The reference service and its databases as child processes, for the cases of service_test.py and bench/service/."""

import contextlib
import glob
import http.client
import os
import pathlib
import pwd
import random
import resource
import signal
import socket
import subprocess
import time


class Skipped(Exception):
    pass


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_ports(count):
    """The first of several consecutive ports, outside the range from which the system assigns ports."""
    for _ in range(100):
        first = random.randrange(20_000, 32_000)
        try:
            with contextlib.ExitStack() as held:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise Skipped("there are no consecutive free ports")


def raise_descriptor_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def certificate(folder):
    """A PEM file with a self-signed certificate and its key."""
    made = os.path.join(folder, "identity.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", made, "-out", made + ".crt"],
                   check=True, capture_output=True)
    with open(made, "a") as both, open(made + ".crt") as chain:
        both.write(chain.read())
    return made


class Running:
    """A program that has been started, killed at the end if it has not ended. `log` is what it complains to."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def complaints(self):
        self.log.seek(0)
        return self.log.read()


class Service(Running):
    """A running service."""

    def __init__(self, program, *options, database=None, default_database=False, folder, **process):
        self.port = free_port()
        self.log = open(os.path.join(folder, "service.log"), "w+")
        words = [program, "--listen", f"127.0.0.1:{self.port}"]
        if not default_database:
            words += ["--db", database or f"sqlite:{folder}/items.db"]
        words += options
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self.log, text=True, **process)
        line = self.process.stdout.readline()
        check(line.startswith("listening on"), f"it said {line!r}; {self.complaints()}")

    def ask(self, method, path, body=None, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def wait_for(self, status, path="/items/1", seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ask("GET", path)[0] == status:
                return
            time.sleep(0.05)
        raise AssertionError(f"GET {path} did not return {status} within {seconds} s; {self.complaints()}")

    def stop(self, seconds=20):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(seconds) == 0, f"the service did not end cleanly: {self.complaints()}")

    def resident(self, what="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the service has ended")


class Postgresql:
    """A separate server, with its own folder and port."""

    def __init__(self, folder):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
        if not found:
            raise Skipped("PostgreSQL is not installed: apt-get install postgresql-15")
        self.programs = os.path.dirname(found[-1])
        self.data = os.path.join(folder, "pg")
        self.port = free_port()
        self.as_user = []
        os.mkdir(self.data, 0o700)
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(self.data, owner.pw_uid, owner.pw_gid)
            os.chmod(folder, 0o755)
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run(self.as_user + [f"{self.programs}/initdb", "-D", self.data, "-U", "tare", "-A", "trust", "-N"],
                       check=True, capture_output=True, cwd="/")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.as_user + [f"{self.programs}/postgres", "-D", self.data, "-h", "127.0.0.1", "-p", str(self.port),
                            "-k", self.data, "-F"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # fast shutdown: it ends its sessions
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def locked_table(database):
    """While this context is active, no one can read the items."""
    words = [f"{database.programs}/psql", f"postgresql://tare@127.0.0.1:{database.port}/postgres", "-qAtc",
             "BEGIN; LOCK TABLE items; SELECT 'locked'; SELECT pg_sleep(600)"]
    locks = "FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'items'::regclass"
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as other:
        try:
            # psql prints nothing before its script has ended, so ask the server.
            ask = [f"{database.programs}/psql", words[1], "-qAtc", f"SELECT count(*) {locks} AND granted"]
            deadline = time.monotonic() + 20
            while subprocess.run(ask, capture_output=True, text=True).stdout.strip() != "1":
                check(time.monotonic() < deadline, "the table is not locked")
                time.sleep(0.05)
            yield
        finally:
            # Without this, its server process would continue to sleep.
            subprocess.run(ask[:-1] + [f"SELECT pg_terminate_backend(pid) {locks}"], check=True, capture_output=True)
            other.kill()
