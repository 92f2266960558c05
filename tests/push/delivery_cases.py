"""Each kind of subscriber gets what is published, once, in order, also when it connects again."""

import http.client
import threading
import time

from gateway import EventStream, Gateway, WebSocket, certificate, check, polling

TEXTS = ["hello", "zwei\nZeilen", "наука ∑ 🦉", "", " leading and trailing ", "data: not a field\n\nid: 7", "x" * 60_000]


def all_kinds(gateway):
    with (EventStream(gateway, "news") as stream, WebSocket(gateway, "news") as socket,
          EventStream(gateway, "other") as other):
        hello = stream.expect("subscribed")
        gateway.wait_for_subscribers(events=2, websocket=1)
        ids = [hello]
        for text in TEXTS:
            with polling(gateway, "news", after=ids[-1]) as poll:
                gateway.wait_for_subscribers(poll=1)
                ids.append(gateway.publish("news", text))
                check(stream.event() == ("message", ids[-1], text), text[:50])
                check(socket.text() == text, text[:50])
                status, fields, body = poll()
                check(status == 200 and fields["event-id"] == ids[-1] and body.decode() == text, (status, fields, body))
        check(len(set(ids)) == len(ids), ids)
        named = gateway.publish("news", "1.25", name="price")
        check(stream.event() == ("price", named, "1.25"), "not the name")
        check(socket.text() == "1.25", "not the data")
        status, fields, body = gateway.ask("GET", f"/topics/news/next?after={ids[-1]}")
        check(status == 200 and fields["event-name"] == "price" and body == b"1.25", (status, fields, body))
        gateway.publish("other", "only there")
        other.expect("subscribed")
        other.expect("message", "only there")
        seen = gateway.counters()
        check(seen["events"] == len(TEXTS) + 2 and seen["topics"] == 2, seen)
        check(seen["deliveries"] == 3 * len(TEXTS) + 3 and seen["missed"] == 0, seen)
        check(gateway.metric("push_events_total") == len(TEXTS) + 2, "the metric differs")
        check(gateway.metric('push_subscribers{kind="events"}') == 2, "the metric differs")
        # What a subscriber sends is ignored, up to a limit; pings are answered.
        socket.send(1, b"ignored")
        socket.send(9, b"alive?")
        check(socket.frame() == (10, b"alive?"), "no pong")
        socket.send(1, b"x" * 5000)
        check(socket.close_code() == 1009, "not 1009")
    gateway.wait_for_subscribers(events=0, websocket=0, poll=0)


def delivery(program, folder):
    with Gateway(program, folder=folder) as gateway:
        all_kinds(gateway)
        gateway.stop()


def tls(program, folder):
    identity = certificate(folder)
    with Gateway(program, "--tls", identity, folder=folder, trusted=identity + ".crt") as gateway:
        all_kinds(gateway)
        gateway.stop()


def resume(program, folder):
    """Wherever a client was, it misses nothing and gets nothing twice."""
    with Gateway(program, folder=folder) as gateway:
        with EventStream(gateway, "a") as stream:
            ids = [stream.expect("subscribed")]
        ids += [gateway.publish("a", f"event {i}") for i in range(20)]
        for known in range(len(ids)):
            # What other topics have published since is no gap.
            gateway.publish("b", "something else")
            for by in ({"last_id": ids[known]}, {"after": ids[known]}):
                with EventStream(gateway, "a", **by) as stream:
                    for i in range(known, 20):
                        check(stream.event() == ("message", ids[i + 1], f"event {i}"), (known, i))
                    live = gateway.publish("b", "not for it")
                    gateway.wait_for_subscribers(events=1)
            polled = ids[known]
            for i in range(known, 20):
                status, fields, body = gateway.ask("GET", f"/topics/a/next?after={polled}")
                check(status == 200 and body.decode() == f"event {i}", (known, i, status, body))
                polled = fields["event-id"]
            status, fields, _ = gateway.ask("GET", f"/topics/a/next?wait=0&after={polled}")
            check(status == 204 and fields["event-id"] == polled, (status, fields))
        # An id from another topic is a position, too: nothing of "a" has been published after it.
        with EventStream(gateway, "a", last_id=live) as stream:
            gateway.wait_for_subscribers(events=1)
            last = gateway.publish("a", "the last")
            check(stream.event() == ("message", last, "the last"), "not the last")
        # A topic that has been empty until then.
        status, fields, _ = gateway.ask("GET", "/topics/new/next?wait=0")
        check(status == 204, status)
        with EventStream(gateway, "new") as stream:
            hello = stream.expect("subscribed")
        gateway.wait_for_subscribers(events=0)
        first = gateway.publish("new", "first")
        for known in (fields["event-id"], hello):
            with EventStream(gateway, "new", last_id=known) as stream:
                check(stream.event() == ("message", first, "first"), "the first event is missing")


def gaps(program, folder):
    """A client is told if it may have missed events, and why, and continues from there."""
    with Gateway(program, "--history", "4K", folder=folder) as gateway:
        old = gateway.publish("a", "old")
        for i in range(100):
            newest = gateway.publish("a", f"{i} " + "x" * 500)
        for known, why in ((old, "older than the history"), ("x-1", "not of this stream"), ("1" * 300, "not of this"),
                           (newest + "0", "not of this stream"), (newest.split("-")[0] + "-x", "not of this stream")):
            with EventStream(gateway, "a", last_id=known) as stream:
                name, at, data = stream.event()
                check(name == "reset" and why in data and at == newest, (known, name, at, data))
                newest = gateway.publish("a", "live")
                check(stream.event() == ("message", newest, "live"), "not the next event after a reset")
            status, fields, body = gateway.ask("GET", f"/topics/a/next?after={known}")
            check(status == 410 and fields["event-id"] == newest and why in body.decode(), (status, fields, body))
            check(gateway.ask("GET", f"/topics/a/next?wait=0&after={fields['event-id']}")[0] == 204, "lost again")
        check(gateway.counters()["resets"] == 10, gateway.counters())
        check(gateway.counters()["kept_bytes"] <= 4096, "the history is too large")
        # The next process is another stream.
        gateway.stop()
    with Gateway(program, "--history", "0", folder=folder) as gateway:
        with EventStream(gateway, "a", last_id=newest) as stream:
            at = stream.expect("reset")
        # Without a history, a client is up to date or has a gap.
        with EventStream(gateway, "a", last_id=at) as stream:
            gateway.wait_for_subscribers(events=1)
            missed = gateway.publish("a", "1")
            check(stream.event() == ("message", missed, "1"), "not the event")
        with EventStream(gateway, "a", last_id=at) as stream:
            check(stream.event()[0] == "reset", "the gap is not noticed")
        with EventStream(gateway, "a", last_id=missed) as stream:
            gateway.wait_for_subscribers(events=1)
            stream_id = gateway.publish("a", "2")
            check(stream.event() == ("message", stream_id, "2"), "a reset without a reason")
        gateway.wait_for(lambda seen: seen["topics"] == 0, "the topic has not gone")
        gateway.publish("a", "to nobody")
        check(gateway.counters()["topics"] == 0, "a topic without subscribers and history")
        with EventStream(gateway, "a", last_id=stream_id) as stream:
            check(stream.event()[0] == "reset", "an event published to nobody is not noticed")


def busy(program, folder):
    """Clients that connect again all the time, while a back end publishes as fast as it can."""
    with Gateway(program, folder=folder) as gateway:
        with EventStream(gateway, "a") as stream:
            known = stream.expect("subscribed")
        count = 2000

        def publish():
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
            for i in range(count):
                connection.request("POST", "/topics/a", str(i))
                connection.getresponse().read()
            connection.close()

        back_end = threading.Thread(target=publish)
        back_end.start()
        got, connections, deadline = [], 0, time.monotonic() + 60
        while len(got) < count and time.monotonic() < deadline:
            connections += 1
            with EventStream(gateway, "a", last_id=known) as stream:
                for _ in range(1 + connections % 50):
                    if len(got) == count:
                        break
                    name, known, data = stream.event()
                    check(name == "message", (name, data))
                    got.append(int(data))
        back_end.join()
        check(got == list(range(count)), f"{len(got)} events, not in order")
        print(f"{count} events over {connections} connections, none missed, none twice")


CASES = {
    "delivery": delivery,
    "tls": tls,
    "resume": resume,
    "gaps": gaps,
    "busy": busy,
}
