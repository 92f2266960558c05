#!/usr/bin/env python3
"""The reference service as its users and its enemies see it: service_test.py SERVICE CASE

Exit status 77 means that the case cannot be run here, for the reason that is printed.
"""

import asyncio
import concurrent.futures
import contextlib
import glob
import http.client
import json
import os
import pathlib
import pwd
import random
import re
import resource
import select
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
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
    """The first of some in a row, outside of the range from which the system gives them to others."""
    for _ in range(100):
        first = random.randrange(20_000, 32_000)
        try:
            with contextlib.ExitStack() as held:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise Skipped("there are no free ports in a row")


def certificate(folder):
    """A PEM file with a self-signed certificate and its key."""
    made = os.path.join(folder, "identity.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", made, "-out", made + ".crt"],
                   check=True, capture_output=True)
    with open(made, "a") as both, open(made + ".crt") as chain:
        both.write(chain.read())
    return made


class Service:
    """A running service, killed at the end if it has not ended."""

    def __init__(self, program, *options, database=None, folder):
        self.port = free_port()
        self.log = open(os.path.join(folder, "service.log"), "w+")
        words = [program, "--listen", f"127.0.0.1:{self.port}"]
        words += ["--db", database or f"sqlite:{folder}/items.db"] + list(options)
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        check(line.startswith("listening on"), f"it said {line!r}; {self.complaints()}")

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
        raise AssertionError(f"GET {path} did not give {status} within {seconds} s; {self.complaints()}")

    def resident(self, what="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the service has ended")


def items(program, folder):
    with Service(program, "--seed", folder=folder) as service:
        service.wait_for(200)
        status, headers, body = service.ask("GET", "/items/1")
        check(status == 200 and json.loads(body) == {"id": 1, "name": "item 1", "price": 0.25}, body)
        check(headers["content-type"] == "application/json", headers)

        status, headers, body = service.ask("POST", "/items", json.dumps({"name": "ä\"'; --", "price": 3}))
        made = json.loads(body)
        check(status == 201 and made["name"] == "ä\"'; --", body)
        check(headers["location"] == f"/items/{made['id']}", headers)
        check(json.loads(service.ask("GET", headers["location"])[2]) == made, "it is not what was stored")
        check(service.ask("HEAD", "/items/1")[0::2] == (200, b""), "HEAD has a body")
        check(service.ask("GET", "/healthz")[0] == 200, "not healthy")

        metrics = service.ask("GET", "/metrics")[2].decode()
        for line in ("http_connections ", 'http_requests_total{route="/items",code="2xx"} 1', "tare_frame_bytes ",
                     "tare_memory_limit_bytes 536870912", 'http_request_duration_seconds_bucket{route="/items",le="+Inf"} 1'):
            check(line in metrics, f"{line} is not in {metrics}")
        for line in metrics.splitlines():
            check(line.startswith("#") or len(line.rsplit(" ", 1)) == 2, line)


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


def lines_agree(program, service, waiting):
    """Each idle connection is at the await where it waits to become readable, as the source has it and `tare live` sees it."""
    places = {(g["function"].split("(")[0], g["file"], g["line"]) for g in waiting}
    check(len(places) == 1 and all(g["at_await"] for g in waiting), waiting)
    (function, file, line), = places
    if os.path.exists(file):
        source = pathlib.Path(file).read_text().splitlines()
        check("co_await" in source[line - 1] and "readable" in source[line - 1], f"{file}:{line}: {source[line - 1]}")
    outside = frames_from_outside(program, service.process.pid)
    if outside is not None:
        check(outside.get((function, file, line)) == sum(g["count"] for g in waiting), (places, waiting, outside))
        # No connection is anywhere else.
        check(sum(c for (name, *_), c in outside.items() if name == function) == sum(g["count"] for g in waiting), outside)


def debug_tasks(program, folder):
    """What the coroutines wait for: each connection once, where it waits for its next request."""
    connections = 40
    with_lines = has_await_table(program)
    with Service(program, "--seed", "--shards", "2", folder=folder) as service:
        service.wait_for(200)
        idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(connections)]

        def look():
            status, headers, body = service.ask("GET", "/debug/tasks", timeout=60)
            check(status == 200 and headers["content-type"] == "application/json", (status, headers))
            return json.loads(body)

        def waiting(seen):
            return [g for g in seen["groups"] if "serve_connection" in g["function"] and g["waiting_for"] == "descriptor"]

        deadline = time.monotonic() + 20
        seen = look()
        while sum(g["count"] for g in waiting(seen)) != connections and time.monotonic() < deadline:
            time.sleep(0.2)  # for a second the last one is given again
            seen = look()
        check(sum(g["count"] for g in waiting(seen)) == connections, seen)
        check(seen["schema"] == 1 and seen["ungrouped"] == 0, seen)
        if with_lines:
            check(seen["notes"] == [], seen["notes"])
            lines_agree(program, service, waiting(seen))
        else:
            check(len(seen["notes"]) == 1 and ": no await table" in seen["notes"][0], seen["notes"])
            check(not any(g["at_await"] for g in seen["groups"]), seen)
        for group in seen["groups"]:
            check(group["total_bytes"] == group["count"] * group["frame_bytes"], group)
            check(group["waiting_for"] in ("end", "unknown") or (group["line"] > 0 and group["file"][-4:] in (".cpp", ".hpp")), group)
        totals = [g["total_bytes"] for g in seen["groups"]]
        check(totals == sorted(totals, reverse=True), "not the heaviest first")
        heaps = seen["shards"] + [seen["outside"]]
        check([s["shard"] for s in seen["shards"]] == [0, 1], seen["shards"])
        check(sum(totals) == seen["frame_bytes"] == sum(h["frame_bytes"] for h in heaps), "the bytes do not add up")
        check(sum(g["count"] for g in seen["groups"]) == seen["frames"] == sum(h["frames"] for h in heaps), "the frames do not")
        for heap in heaps:
            check(heap["frame_bytes"] <= heap["live_bytes"] <= heap["held_bytes"] and heap["pauses"] >= 1, heap)
            check(0 < heap["longest_pause_microseconds"] <= seen["longest_pause_microseconds"], heap)

        metrics = service.ask("GET", "/metrics")[2].decode()
        for line in ('tare_suspended_frames{waiting_for="descriptor"} ', 'tare_shard_frames{shard="1"} ',
                     'tare_shard_frame_bytes{shard="outside"} ', "tare_snapshot_longest_pause_seconds "):
            check(line in metrics, f"{line} is not in {metrics}")
        for each in idle:
            each.close()
        deadline = time.monotonic() + 20
        while waiting(look()) and time.monotonic() < deadline:
            time.sleep(0.2)
        check(not waiting(look()), "the connections are gone, their frames are not")


def first_look(program, folder):
    """What the first /debug/tasks takes, which reads what the others know: little with a table of awaits."""
    with_table = has_await_table(program)
    with Service(program, "--seed", folder=folder) as service:
        service.wait_for(200)
        service.ask("GET", "/metrics")
        pathlib.Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")  # the peak counts from here
        before = service.resident()
        began = time.monotonic()
        status, _, body = service.ask("GET", "/debug/tasks", timeout=60)
        took = time.monotonic() - began
        check(status == 200, body)
        above = service.resident("VmHWM") - before
        time.sleep(1)
        print(f"{'with' if with_table else 'without'} a table of awaits: {took * 1000:.0f} ms, {above / 1e6:.1f} MB "
              f"resident meanwhile, {(service.resident() - before) / 1e6:.1f} MB after it")
        check(not with_table or above < 2e6, f"{above} bytes more resident")


def tls(program, folder):
    identity = certificate(folder)
    with Service(program, "--seed", "--tls", identity, folder=folder) as service:
        trusted = ssl.create_default_context(cafile=identity + ".crt")
        connection = http.client.HTTPSConnection("localhost", service.port, context=trusted, timeout=10)
        connection._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", address[1]), *rest)
        for _ in range(50):  # the database is being prepared
            connection.request("GET", "/items/1")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                break
            time.sleep(0.1)
        check(answer.status == 200 and json.loads(body)["id"] == 1, (answer.status, body))
        check(connection.sock.version() == "TLSv1.3", connection.sock.version())
        service.process.send_signal(signal.SIGTERM)
        check(service.process.wait(20) == 0, "it did not end well")
        connection.close()


def bad_input(program, folder):
    def refused(*arguments):
        ended = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)
        check(ended.returncode == 2, f"{arguments}: status {ended.returncode}")
        check(ended.stderr.count("\n") == 1 and ended.stderr.startswith("service: "), ended.stderr)

    refused("--listen", "nowhere")
    refused("--db", "mysql://x")
    refused("--budget", "1M")
    refused("--budget", "12Q")
    refused("--unknown")
    refused("--listen", "systemd")
    refused("--grace", "-1")
    refused("--tls", os.path.join(folder, "absent.pem"))
    with Service(program, "--seed", folder=folder) as service:
        service.wait_for(200)
        taken = subprocess.run([program, "--listen", f"127.0.0.1:{service.port}", "--db", "sqlite::memory:"],
                               capture_output=True, text=True, timeout=20)
        check(taken.returncode == 1 and "cannot listen" in taken.stderr, taken.stderr)
        expected = [
            ("GET", "/items/x", None, 400), ("GET", "/items/999999", None, 404), ("GET", "/nothing", None, 404),
            ("DELETE", "/items/1", None, 405), ("POST", "/items", "", 400), ("POST", "/items", "[]", 400),
            ("POST", "/items", '{"name": "", "price": 1}', 400), ("POST", "/items", '{"name": "a"}', 400),
            ("POST", "/items", '{"name": "a", "price": -1}', 400), ("POST", "/items", '{"name": "a", "price": 1e999}', 400),
            ("POST", "/items", '{"name": "item 1", "price": 1}', 409), ("POST", "/items", "x" * 100_000, 413),
            ("GET", "/" + "x" * 100_000, None, 414),
        ]
        for method, path, body, status in expected:
            got = service.ask(method, path, body)[0]
            check(got == status, f"{method} {path[:40]} {str(body)[:40]}: {got}, not {status}")
        check(service.ask("GET", "/items/1")[0] == 200, "it does not serve any more")


def drain(program, folder):
    """SIGTERM: what is under way is answered, idle connections end, the process ends by itself."""
    with Service(program, "--seed", folder=folder) as service:
        service.wait_for(200)
        idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(20)]
        body = json.dumps({"name": "slow", "price": 1}).encode()
        slow = socket.create_connection(("127.0.0.1", service.port))
        slow.sendall(b"POST /items HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:5])
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        for each in idle:
            each.settimeout(10)
            check(each.recv(100) == b"", "an idle connection was told something")
        slow.sendall(body[5:])
        slow.settimeout(10)
        answer = b""
        while more := slow.recv(4096):
            answer += more
        check(answer.startswith(b"HTTP/1.1 201 "), answer)
        check(service.process.wait(15) == 0, "it did not end well")


def shards(program, folder):
    with Service(program, "--seed", "--shards", "2", folder=folder) as service:
        service.wait_for(200)
        for i in range(1, 101):
            check(service.ask("GET", f"/items/{i}")[0] == 200, i)
        metrics = service.ask("GET", "/metrics")[2].decode()
        check(any(l.startswith('http_requests_total{route="/items/{id}",code="2xx"} ') and int(l.split()[-1]) >= 100
                  for l in metrics.splitlines()), metrics)
        service.process.send_signal(signal.SIGTERM)
        check(service.process.wait(15) == 0, "it did not end well")


def disk_full(program, folder):
    """507 and nothing half-written; space comes back, and so does the service."""
    small = os.path.join(folder, "small")
    os.mkdir(small)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small], capture_output=True, text=True)
    if mounted.returncode != 0:
        raise Skipped(f"cannot mount a small file system: {mounted.stderr.strip()}")
    try:
        with Service(program, database=f"sqlite:{small}/items.db", folder=folder) as service:
            service.wait_for(404)
            ballast = pathlib.Path(small, "ballast")
            ballast.write_bytes(b"x" * 150_000)
            stored, status = 0, 201
            while status == 201 and stored < 10_000:
                status, _, body = service.ask("POST", "/items", json.dumps({"name": f"{stored} " + "n" * 2000, "price": 1}))
                stored += status == 201
            check(status in (500, 507), f"{status} {body}")
            check(stored > 0, "nothing was stored before")
            check(service.ask("GET", f"/items/{stored}")[0] == 200, "what was stored is gone")
            check(service.ask("GET", f"/items/{stored + 1}")[0] == 404, "something is half-written")
            ballast.unlink()
            status, _, body = service.ask("POST", "/items", json.dumps({"name": "after", "price": 1}))
            check(status == 201, f"it does not recover: {status} {body}")
            service.process.send_signal(signal.SIGTERM)
            service.process.wait(15)
    finally:
        subprocess.run(["umount", small], check=True)


class Postgresql:
    """A server of its own, in a folder of its own, on a port of its own."""

    def __init__(self, folder):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
        if not found:
            raise Skipped("PostgreSQL is not there: apt-get install postgresql-15")
        self.programs = os.path.dirname(found[-1])
        self.data = os.path.join(folder, "pg")
        self.port = free_port()
        self.as_user = []
        os.mkdir(self.data, 0o700)
        if os.geteuid() == 0:  # it refuses to run as root
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
            self.process.send_signal(signal.SIGINT)  # the fast way: it ends its sessions
            self.process.wait()
            self.process = None


def database_down(program, folder):
    """Down at start, there, down again, there again: 503 meanwhile, and no restart."""
    database = Postgresql(folder)
    try:
        url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"
        with Service(program, "--seed", database=url, folder=folder) as service:
            service.wait_for(503)
            status, headers, _ = service.ask("GET", "/items/1")
            check(status == 503 and "retry-after" in headers, headers)
            check(service.ask("GET", "/healthz")[0] == 503, "healthy without a database")
            database.start()
            service.wait_for(200)
            check(service.ask("POST", "/items", '{"name": "kept", "price": 1}')[0] == 201, "it stores nothing")
            database.stop()
            service.wait_for(503)
            database.start()
            service.wait_for(200)
            check(service.ask("POST", "/items", '{"name": "kept", "price": 1}')[0] == 409, "what was stored is gone")
            service.process.send_signal(signal.SIGTERM)
            check(service.process.wait(15) == 0, service.complaints())
    finally:
        database.stop()


def socket_activation(program, folder):
    """A socket that listens already is passed on as systemd does it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        port = listening.getsockname()[1]
        # The shell takes the place of systemd: descriptor 3, and its own process id, which exec keeps.
        command = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&%d' % listening.fileno()
        process = subprocess.Popen(["sh", "-c", command, program, "--listen", "systemd", "--db", "sqlite::memory:"],
                                   pass_fds=[listening.fileno()], stdout=subprocess.PIPE, text=True)
    try:
        check(str(port) in process.stdout.readline(), "it listens elsewhere")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        check(connection.getresponse().status == 200, "it does not answer")
        process.send_signal(signal.SIGTERM)
        check(process.wait(15) == 0, "it did not end well")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def scale_out(program, folder):
    """Two services behind HAProxy are restarted one after the other; no client notices."""
    if not shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"]):
        raise Skipped("HAProxy is not there: apt-get install haproxy")
    script = pathlib.Path(__file__).resolve().parents[2] / "examples/service/scale-out/scale_out.py"
    database = Postgresql(folder)
    database.start()
    first = free_ports(2)
    port, metrics = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, script, "--service", program, "--db", f"postgresql://tare@127.0.0.1:{database.port}/postgres",
         "--listen", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}", "--first-port", str(first),
         "--budget", "1G"], stdout=subprocess.PIPE, text=True)
    wrong, right, done = [], 0, threading.Event()
    guard = threading.Lock()

    def client(number):
        nonlocal right
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        count = 0
        while not done.is_set():
            count += 1
            post = count % 4 == 0
            try:
                if post:
                    body = json.dumps({"name": f"of {number}, {count}", "price": 1})
                    connection.request("POST", "/items", body)
                else:
                    connection.request("GET", "/items/1")
                answer = connection.getresponse()
                answer.read()
                expected = (201,) if post else (200, 404)
                what = None if answer.status in expected else f"status {answer.status}"
            except (OSError, http.client.HTTPException) as failure:
                what = repr(failure)
                connection.close()
            with guard:
                right += what is None
                if what:
                    wrong.append(what)

    try:
        check(process.stdout.readline().startswith("ready:"), "it did not start")
        time.sleep(1)  # HAProxy has found them
        clients = [threading.Thread(target=client, args=(i,)) for i in range(8)]
        for each in clients:
            each.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGHUP)
        check(process.stdout.readline() == "restarted\n", "they were not restarted")
        time.sleep(0.5)
        done.set()
        for each in clients:
            each.join()
        check(not wrong, f"{len(wrong)} of {right + len(wrong)} requests failed: {wrong[:3]}")
        check(right > 100, f"only {right} requests")
        scraped = http.client.HTTPConnection("127.0.0.1", metrics, timeout=10)
        scraped.request("GET", "/metrics")
        check(b"haproxy_server_http_responses_total" in scraped.getresponse().read(), "HAProxy has no metrics")
        process.send_signal(signal.SIGTERM)
        check(process.wait(40) == 0, "it did not end well")
        print(f"{right} requests, none lost")
    finally:
        done.set()
        if process.poll() is None:
            process.terminate()
        process.wait()
        process.stdout.close()
        database.stop()


def raise_descriptor_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


@contextlib.contextmanager
def watched(service):
    """The largest resident size while it runs, in a list of one."""
    most, going = [0], [True]

    def watch():
        while going[0]:
            most[0] = max(most[0], service.resident())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        going[0] = False
        watcher.join()


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def flooding(port, number, until, counts):
    """One client that asks as fast as it is answered; connects again when its connection is ended."""
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 30)
        except (OSError, asyncio.TimeoutError):
            counts["not connected"] += 1
            await asyncio.sleep(0.1)
            continue
        try:
            while time.monotonic() < until:
                item = number % 1000 + 1
                writer.write(b"GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n" % item)
                try:
                    status, headers, body = await asyncio.wait_for(read_answer(reader), 30)
                except (OSError, asyncio.IncompleteReadError):
                    counts["ended"] += 1  # an idle connection that made room for others
                    break
                if status == 200 and json.loads(body)["id"] == item:
                    counts["answered"] += 1
                elif status == 503 and "retry-after" in headers:
                    counts["refused"] += 1
                    await asyncio.sleep(0.01)
                else:
                    counts["wrong"] += 1
                    counts["last wrong"] = f"{status} {body[:80]}"
                number += 1
        except asyncio.TimeoutError:
            counts["silent"] += 1
        finally:
            writer.close()


def flood(program, folder, connections=3000, seconds=8):
    """Ten times what the budget admits, at once: 32 MiB without the 12 of the program are for 160 requests."""
    if raise_descriptor_limit() < 2 * connections + 200:
        raise Skipped("too few descriptors for the connections")
    budget = 32 << 20
    with Service(program, "--seed", "--budget", "32M", folder=folder) as service:
        service.wait_for(200)
        counts = dict.fromkeys(("answered", "refused", "ended", "wrong", "silent", "not connected"), 0)

        async def all_of_them():
            until = time.monotonic() + seconds
            await asyncio.gather(*(flooding(service.port, i, until, counts) for i in range(connections)))

        with watched(service) as most:
            asyncio.run(all_of_them())
        began = time.monotonic()
        service.wait_for(200, seconds=5)
        recovered = time.monotonic() - began
        print(f"{connections} connections for {seconds} s: {counts}; at most {most[0] / 2**20:.1f} MiB of {budget / 2**20:.0f}, "
              f"normal after {recovered:.3f} s")
        check(counts["answered"] > 1000, "hardly anybody was served")
        check(counts["wrong"] == 0, f"wrong answers: {counts}")
        check(counts["silent"] == 0, "requests were not answered")
        check(most[0] <= budget, f"it took {most[0]} bytes")


async def patient(port):
    """A client whose head never ends, a line a second; whether the server put an end to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n")
    try:
        for number in range(40):
            try:
                said = await asyncio.wait_for(reader.read(4096), 1)
            except asyncio.TimeoutError:
                writer.write(b"X-%d: a\r\n" % number)
                continue
            return said == b"" or b" 408 " in said
    except OSError:
        return True
    finally:
        writer.close()
    return False


def patient_clients(port, connections):
    """How many of so many were ended by the server."""
    raise_descriptor_limit()
    os.nice(19)  # what they do would be done on other machines

    async def all_of_them():
        return await asyncio.gather(*(patient(port) for _ in range(connections)))

    return sum(asyncio.run(all_of_them()))


def slow_loris(program, folder, connections=1000):
    """Heads that never end are ended by the time limit, while others are served."""
    if raise_descriptor_limit() < connections + 200:
        raise Skipped("too few descriptors for the connections")
    with Service(program, "--seed", folder=folder) as service:
        service.wait_for(200)

        def p99(seconds):
            times, until = [], time.monotonic() + seconds
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
            while time.monotonic() < until:
                began = time.monotonic()
                connection.request("GET", "/items/1")
                check(connection.getresponse().read() != b"", "no answer")
                times.append(time.monotonic() - began)
            connection.close()
            return sorted(times)[int(len(times) * 0.99)]

        calm = p99(5)
        # A process of their own, for threads of Python take turns.
        with concurrent.futures.ProcessPoolExecutor(1) as attackers:
            attack = attackers.submit(patient_clients, service.port, connections)
            time.sleep(1)
            under_attack = p99(5)
            ended = attack.result()
        print(f"{connections} slow clients: {ended} ended by the server; 99 % of the others' requests took less than "
              f"{under_attack * 1000:.2f} ms, {calm * 1000:.2f} ms in calm: {under_attack / calm:.1f} times")
        check(ended == connections, f"{ended} of {connections} were ended")


def throughput(program, service):
    """GETs of one item on 64 connections: how many a second, and what each takes of the service's processor time."""
    words = [tare_beside(program), "hold", "--load", "--connections", "64", "--seconds", "5", "--pid", str(service.process.pid), "--json",
             "-", f"http://127.0.0.1:{service.port}/items/1"]
    done = subprocess.run(words, capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def under_way(program, service, request, few, many):
    """Bytes of the process for each request that waits for its database, and the frames it has while all of them do."""
    clients, resident = [], []
    for count in (few, many):
        while len(clients) < count:
            client = socket.create_connection(("127.0.0.1", service.port))
            client.sendall(request(len(clients)))
            clients.append(client)
        time.sleep(1)
        resident.append(service.resident())
    sites = live_sites(program, service.process.pid)
    check(sites is not None, "tare live may not look at the service")
    for client in clients:
        client.close()
    return (resident[1] - resident[0]) / (many - few), [site for site in sites if site["count"] >= many / 2]


def figures(program, folder):
    """What a request takes with each database, in time and, while it waits for it, in memory."""
    raise_descriptor_limit()

    def get(_):
        return b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n"

    def post(number):
        body = json.dumps({"name": f"new {number}", "price": 1}).encode()
        return b"POST /items HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def report(title, service, request, hold_back):
        served = throughput(program, service)
        with hold_back():
            weight, sites = under_way(program, service, request, 500, 4000)
        print(f"\n{title}: {served['requests_per_second']:,.0f} GETs a second on 64 connections, "
              f"{served['server_cpu_seconds_per_request'] * 1e6:.0f} us of CPU time each\n"
              f"a request that waits for the database: {weight:,.0f} bytes of the process, of which frames:")
        for site in sites:
            name = re.sub(r"[<(].*", "", site["function"])
            print(f"  {site['frame_bytes']:6} {name}  {os.path.basename(site['file'])}:{site['line']}")

    @contextlib.contextmanager
    def sqlite_written_to():
        with contextlib.closing(sqlite3.connect(f"{folder}/items.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # readers go on, so the requests are to write
            yield

    with Service(program, "--seed", "--budget", "4G", folder=folder) as service:
        service.wait_for(200)
        report("SQLite", service, post, sqlite_written_to)

    database = Postgresql(folder)
    database.start()
    try:
        url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"

        @contextlib.contextmanager
        def table_locked():
            words = [f"{database.programs}/psql", url, "-qc", "BEGIN; LOCK TABLE items; SELECT pg_sleep(60)"]
            with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
                time.sleep(1)
                yield
                other.kill()

        with Service(program, "--seed", "--budget", "4G", database=url, folder=folder) as service:
            service.wait_for(200)
            report("PostgreSQL", service, get, table_locked)
    finally:
        database.stop()


@contextlib.contextmanager
def locked_table(database):
    """Nobody reads the items meanwhile."""
    words = [f"{database.programs}/psql", f"postgresql://tare@127.0.0.1:{database.port}/postgres", "-qAtc",
             "BEGIN; LOCK TABLE items; SELECT 'locked'; SELECT pg_sleep(600)"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as other:
        try:
            # psql prints nothing before its script is over, so the server is asked.
            ask = [f"{database.programs}/psql", words[1], "-qAtc",
                   "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'items'::regclass"]
            deadline = time.monotonic() + 20
            while subprocess.run(ask, capture_output=True, text=True).stdout.strip() != "1":
                check(time.monotonic() < deadline, "the table is not locked")
                time.sleep(0.05)
            yield
        finally:
            # Its server would sleep on without it.
            end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'items'::regclass"
            subprocess.run(ask[:-1] + [end], check=True, capture_output=True)
            other.kill()


def gather_statuses(clients, seconds):
    """How often each status came; 0 for those that got none in that time."""
    unread = {each.fileno(): each for each in clients}
    counts = {}
    deadline = time.monotonic() + seconds
    with select.epoll() as poll:
        for fd in unread:
            poll.register(fd, select.EPOLLIN)
        while unread and time.monotonic() < deadline:
            for fd, _ in poll.poll(0.5):
                poll.unregister(fd)
                try:
                    answer = unread.pop(fd).recv(4096)
                except OSError:
                    answer = b""
                status = int(answer[9:12]) if len(answer) > 12 else 0
                counts[status] = counts.get(status, 0) + 1
    if unread:
        counts["silent"] = len(unread)
    return counts


def database_locked(program, folder, connections=3000, budget=32, seconds=5):
    """All that wait for their database fit: each holds some 2 KB. None is refused, and all are answered afterwards."""
    if raise_descriptor_limit() < connections + 200:
        raise Skipped("too few descriptors for the connections")
    database = Postgresql(folder)
    database.start()
    clients = []
    try:
        url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"
        with Service(program, "--seed", "--budget", f"{budget}M", database=url, folder=folder) as service:
            service.wait_for(200)
            before = service.resident()
            with locked_table(database):
                began = time.monotonic()
                for i in range(connections):
                    client = socket.create_connection(("127.0.0.1", service.port), timeout=20)
                    client.sendall(b"GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n" % (i % 1000 + 1))
                    clients.append(client)
                time.sleep(max(0, began + seconds - time.monotonic()))
                meanwhile = service.resident()
                status, _, body = service.ask("GET", "/metrics")
                check(status == 200, (status, body))
            counts = gather_statuses(clients, 20)
            most = service.resident("VmHWM")
            print(f"{connections} requests that wait: {counts}; {before / 2**20:.1f} MiB before, {meanwhile / 2**20:.1f} MiB "
                  f"meanwhile, {most / 2**20:.1f} MiB at most of {budget}")
            check(counts == {200: connections}, f"not all were answered: {counts}")
            check(most <= budget << 20, f"it took {most} bytes")
    finally:
        for client in clients:
            client.close()
        database.stop()


CASES = {
    "database-locked": database_locked,
    "database-locked-full": lambda program, folder: database_locked(program, folder, connections=12000, budget=64),
    "items": items,
    "debug-tasks": debug_tasks,
    "first-look": first_look,
    "tls": tls,
    "socket-activation": socket_activation,
    "scale-out": scale_out,
    "bad-input": bad_input,
    "drain": drain,
    "shards": shards,
    "disk-full": disk_full,
    "database-down": database_down,
    "flood": flood,
    "flood-full": lambda program, folder: flood(program, folder, connections=9000, seconds=60),
    "figures": figures,
    "slow-loris": slow_loris,
    "slow-loris-full": lambda program, folder: slow_loris(program, folder, connections=9000),
}


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in CASES:
        sys.exit(f"usage: {sys.argv[0]} SERVICE {'|'.join(CASES)}")
    with tempfile.TemporaryDirectory(prefix="tare-service-") as folder:
        try:
            CASES[sys.argv[2]](sys.argv[1], folder)
        except Skipped as why:
            print(f"skipped: {why}")
            sys.exit(77)


main()
