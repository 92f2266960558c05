"""Requests and arguments that must be refused, and the limits on topics."""

import base64
import os
import subprocess
import time

from gateway import EventStream, Gateway, WebSocket, check

SOCKET = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13",
          "sec-websocket-key": base64.b64encode(os.urandom(16)).decode()}


def requests(program, folder):
    with Gateway(program, "--max-event", "1000", folder=folder) as gateway:
        expected = [
            ("GET", "/nothing", None, 404), ("GET", "/topics", None, 404), ("GET", "/topics/absent", None, 404),
            ("GET", "/topics/a/b", None, 404), ("POST", "/topics/a/events", "x", 405), ("PUT", "/topics/a", "x", 405),
            ("DELETE", "/topics/a", None, 405), ("POST", "/", "x", 405), ("POST", "/topics/a/next", "x", 405),
            ("POST", "/topics/", "x", 400), ("POST", "/topics/a%20b", "x", 400), ("POST", "/topics/%", "x", 400),
            ("POST", "/topics/" + "n" * 65, "x", 400), ("POST", "/topics/a.b", "x", 400),
            ("POST", "/topics/%C3%A4", "x", 400), ("GET", "/topics/a*/events", None, 400),
            ("GET", "/topics/a%2Fb/events", None, 400), ("GET", "/topics/%00/next", None, 400),
            ("POST", "/topics/a", b"\xff", 400), ("POST", "/topics/a", b"\xed\xa0\x80", 400),
            ("POST", "/topics/a", b"cut \xe2\x82", 400), ("POST", "/topics/a", b"\xc0\x80", 400),
            ("POST", "/topics/a", "x" * 1001, 413), ("POST", "/topics/a?event=reset", "x", 400),
            ("POST", "/topics/a?event=a%0Ab", "x", 400), ("POST", "/topics/a?event=" + "n" * 65, "x", 400),
            ("POST", "/topics/a?event=%C3%A4", "x", 400), ("GET", "/topics/a/next?wait=61", None, 400),
            ("GET", "/topics/a/next?wait=-1", None, 400), ("GET", "/topics/a/next?wait=x", None, 400),
            ("GET", "/topics/a/socket", None, 400),
        ]
        for method, path, body, status in expected:
            got = gateway.ask(method, path, body)[0]
            check(got == status, f"{method} {path[:40]} {str(body)[:40]}: {got}, not {status}")
        check(gateway.ask("GET", "/topics/a/socket", headers=SOCKET | {"sec-websocket-version": "12"})[0] == 426, "426")
        seen = gateway.counters()
        check(seen["events"] == 0 and seen["topics"] == 0, f"something has been published: {seen}")
        # What is allowed.
        for path in ("/topics/a", "/topics/" + "n" * 64, "/topics/%41-_9", "/topics/a?event=a:b.c"):
            check(gateway.ask("POST", path, "x" * 1000)[0] == 202, path)
        check(gateway.ask("HEAD", "/")[0::2] == (200, b""), "HEAD has a body")
        check(gateway.ask("POST", "/topics/a", b"\x00 zero")[0] == 202, "a zero")
        gateway.stop()


def chunked(program, folder):
    """A body without an announced length, in pieces, too long, or cut."""
    head = b"POST /topics/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Gateway(program, "--max-event", "1000", folder=folder) as gateway:
        with EventStream(gateway, "a") as stream:
            stream.expect("subscribed")
            gateway.wait_for_subscribers(events=1)
            for body, status in ((b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 202),
                                 (b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n", 413), (b"zz\r\n", 400),
                                 (b"2\r\n\xc3\r\n", 400)):
                with gateway.connect() as connection:
                    for i in range(0, len(head + body), 40):
                        connection.sendall((head + body)[i:i + 40])
                        time.sleep(0.002)
                    answer = connection.recv(4096)
                    check(answer.startswith(b"HTTP/1.1 %d " % status), (body[:20], answer))
            stream.expect("message", "abc")
            check(gateway.counters()["events"] == 1, gateway.counters())


def permissions(program, folder):
    """The token of publishers, and the origins of pages."""
    token = os.path.join(folder, "token")
    with open(token, "w") as file:
        file.write("secret\n")
    with Gateway(program, "--token", token, "--origin", "https://example.com", folder=folder) as gateway:
        for given, status in (("", 401), ("Bearer", 401), ("Bearer ", 401), ("Bearer secre", 401),
                              ("Basic secret", 401), ("Bearer secret2", 401), ("Bearer secret", 202),
                              ("bearer secret", 202)):
            headers = {"authorization": given} if given else {}
            got, fields, _ = gateway.ask("POST", "/topics/a", "x", headers)
            check(got == status, f"{given!r}: {got}, not {status}")
            check(status != 401 or fields["www-authenticate"] == "Bearer", fields)
        own = f"http://127.0.0.1:{gateway.port}"
        for origin, is_allowed in (("https://example.com", True), (own, True), ("http://evil.example", False),
                                   ("null", False), ("https://example.com.evil.example", False), ("", False)):
            headers = {"authorization": "Bearer secret", "origin": origin}
            got = gateway.ask("POST", "/topics/a", "x", headers)[0]
            check(got == (202 if is_allowed else 403), f"{origin}: {got}")
        for origin, status in (("https://example.com", 101), (own, 101), ("http://evil.example", 403), ("null", 403)):
            WebSocket(gateway, "a", origin=origin, expect=status).close()
        check(gateway.metric('push_refused_total{reason="token"}') == 6, "tokens are not counted")
        check(gateway.metric('push_refused_total{reason="origin"}') == 4, "origins are not counted")


def topics(program, folder):
    """There is a limit on topics; those without subscribers make room, and are forgotten after a time."""
    with Gateway(program, "--max-topics", "5", "--history-time", "2", folder=folder) as gateway:
        ids = [gateway.publish(f"t{i}", "x") for i in range(5)]
        held = [EventStream(gateway, f"t{i}") for i in range(3)]
        # Subscribers may not displace a history; publishers displace the oldest that has no subscriber.
        check(gateway.ask("GET", "/topics/new/events")[0] == 503, "one topic too many")
        check(gateway.ask("GET", "/topics/new/next")[0] == 503, "one topic too many")
        WebSocket(gateway, "new", expect=503).close()
        gateway.publish("t3", "again")
        gateway.publish("t5", "x")
        check(gateway.ask("GET", "/topics/t4")[0] == 404, "t4 has been idle longest")
        check(gateway.ask("GET", "/topics/t3")[0] == 200, "t3 has been idle for less long")
        held += [EventStream(gateway, "t3"), EventStream(gateway, "t5")]
        gateway.wait_for_subscribers(events=5)
        status, fields, _ = gateway.ask("POST", "/topics/t6", "x")
        check(status == 503 and fields["retry-after"], (status, fields))
        check(gateway.metric('push_refused_total{reason="topics"}') == 4, "refusals are not counted")
        last = gateway.publish("t5", "y")
        for each in held:
            each.close()
        gateway.wait_for_subscribers(events=0)
        check(gateway.counters()["topics"] == 5, "histories are kept for a while")
        gateway.wait_for(lambda seen: seen["topics"] == 0, "the histories have not been forgotten", seconds=8)
        # What a client may have missed is still known.
        with EventStream(gateway, "t4", last_id=ids[0]) as stream:
            stream.expect("reset")
        with EventStream(gateway, "t4", last_id=last) as stream:
            gateway.wait_for_subscribers(events=1)
            known = gateway.publish("t4", "new")
            check(stream.event() == ("message", known, "new"), "it has missed nothing")


def arguments(program, folder):
    def refused(*arguments):
        ended = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)
        check(ended.returncode == 2, f"{arguments}: status {ended.returncode}")
        check(ended.stderr.count("\n") == 1 and ended.stderr.startswith("push: "), ended.stderr)

    empty = os.path.join(folder, "empty")
    open(empty, "w").close()
    for each in (("--listen", "nowhere"), ("--budget", "1M"), ("--budget", "12Q"), ("--unknown",), ("--grace", "-1"),
                 ("--tls", os.path.join(folder, "absent.pem")), ("--tls", empty), ("--token", empty),
                 ("--token", os.path.join(folder, "absent")), ("--slow", "sometimes"), ("--max-event", "0"),
                 ("--max-event", "17M"), ("--max-topics", "0"), ("--history-time", "0"), ("--history", "-1"),
                 ("--write-timeout", "0"), ("--send-buffer", "2G"), ("extra",)):
        refused(*each)
    with Gateway(program, "--budget", "64M", folder=folder) as gateway:
        check(gateway.counters()["budget"] == 64 << 20, gateway.counters())
        taken = subprocess.run([program, "--listen", f"127.0.0.1:{gateway.port}"], capture_output=True, text=True,
                               timeout=20)
        check(taken.returncode == 1 and "cannot listen" in taken.stderr, taken.stderr)
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20)
    check(shown.returncode == 0 and "--history" in shown.stdout, shown)


CASES = {
    "requests": requests,
    "chunked": chunked,
    "permissions": permissions,
    "topics": topics,
    "arguments": arguments,
}
