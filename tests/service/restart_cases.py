"""Starts and ends of the service: passed sockets, SIGTERM, restarts behind a load balancer."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import Postgresql, Service, Skipped, check, free_port, free_ports


def drain(program, folder):
    """SIGTERM: requests in progress get responses, idle connections are closed, and the process ends by itself."""
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
            check(each.recv(100) == b"", "an idle connection received bytes")
        slow.sendall(body[5:])
        slow.settimeout(10)
        answer = b""
        while more := slow.recv(4096):
            answer += more
        check(answer.startswith(b"HTTP/1.1 201 "), answer)
        check(service.process.wait(15) == 0, "it did not end cleanly")


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
        check(str(port) in process.stdout.readline(), "it does not listen on the passed socket")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        check(connection.getresponse().status == 200, "it does not respond")
        process.send_signal(signal.SIGTERM)
        check(process.wait(15) == 0, "it did not end cleanly")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def scale_out(program, folder):
    """Two services behind HAProxy are restarted one after the other; no client notices."""
    if not shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"]):
        raise Skipped("HAProxy is not installed: apt-get install haproxy")
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
        time.sleep(1)  # until HAProxy has found them
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
        check(process.wait(40) == 0, "it did not end cleanly")
        print(f"{right} requests, none lost")
    finally:
        done.set()
        if process.poll() is None:
            process.terminate()
        process.wait()
        process.stdout.close()
        database.stop()


CASES = {
    "drain": drain,
    "socket-activation": socket_activation,
    "scale-out": scale_out,
}
