"""Requests and their responses, valid and invalid, with and without TLS, on one shard and on several."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import time

from harness import Service, certificate, check


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
        check(json.loads(service.ask("GET", headers["location"])[2]) == made, "the item differs from what was stored")
        check(service.ask("HEAD", "/items/1")[0::2] == (200, b""), "HEAD has a body")
        check(service.ask("GET", "/healthz")[0] == 200, "not healthy")

        metrics = service.ask("GET", "/metrics")[2].decode()
        for line in ("http_connections ", 'http_requests_total{code="2xx",route="/items"} 1', "tare_frame_bytes ",
                     "tare_memory_limit_bytes 536870912", 'tare_shard_busy_seconds_total{shard="0"} ',
                     'tare_shard_slice_seconds_bucket{shard="0",le="+Inf"} ',
                     'http_request_duration_seconds_bucket{route="/items",le="+Inf"} 1'):
            check(line in metrics, f"{line} is not in {metrics}")
        for line in metrics.splitlines():
            check(line.startswith("#") or len(line.rsplit(" ", 1)) == 2, line)


def tls(program, folder):
    identity = certificate(folder)
    with Service(program, "--seed", "--tls", identity, folder=folder) as service:
        trusted = ssl.create_default_context(cafile=identity + ".crt")
        connection = http.client.HTTPSConnection("localhost", service.port, context=trusted, timeout=10)
        loopback = ("127.0.0.1", service.port)
        connection._create_connection = lambda address, *rest: socket.create_connection(loopback, *rest)
        for _ in range(50):  # the database is being prepared
            connection.request("GET", "/items/1")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                break
            time.sleep(0.1)
        check(answer.status == 200 and json.loads(body)["id"] == 1, (answer.status, body))
        check(connection.sock.version() == "TLSv1.3", connection.sock.version())
        service.stop()
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
            ("POST", "/items", '{"name": "a", "price": -1}', 400),
            ("POST", "/items", '{"name": "a", "price": 1e999}', 400),
            ("POST", "/items", '{"name": "item 1", "price": 1}', 409), ("POST", "/items", "x" * 100_000, 413),
            ("GET", "/" + "x" * 100_000, None, 414),
        ]
        for method, path, body, status in expected:
            got = service.ask(method, path, body)[0]
            check(got == status, f"{method} {path[:40]} {str(body)[:40]}: {got}, not {status}")
        check(service.ask("GET", "/items/1")[0] == 200, "the service does not respond any more")


def shards(program, folder):
    with Service(program, "--seed", "--shards", "2", folder=folder) as service:
        service.wait_for(200)
        for i in range(1, 101):
            check(service.ask("GET", f"/items/{i}")[0] == 200, i)
        metrics = service.ask("GET", "/metrics")[2].decode()
        check(any(l.startswith('http_requests_total{code="2xx",route="/items/{id}"} ') and int(l.split()[-1]) >= 100
                  for l in metrics.splitlines()), metrics)
        service.stop()


CASES = {
    "items": items,
    "tls": tls,
    "bad-input": bad_input,
    "shards": shards,
}
