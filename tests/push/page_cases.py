"""The gateway's page in headless Chromium. With PUSH_PICTURES, screenshots are saved in that folder."""

import json
import os

from browser import Browser
from gateway import Gateway, check

SHOWN = "[...document.querySelectorAll('#events span')].map((each) => each.textContent)"
STATE = "document.getElementById('state').dataset.state"


def subscribe(page, kind):
    page.value(f"document.getElementById('kind').value = '{kind}'; document.getElementById('toggle').click()")


def publish(page, text):
    page.value(f"document.getElementById('data').value = {json.dumps(text)};"
               "document.getElementById('publish').requestSubmit()")


def counter(page, name):
    return page.value(f"document.querySelector('[data-counter={name}]').textContent")


def use(program, folder):
    """Subscribes in each way, publishes with the form and from outside, and shows it with the counters."""
    with Gateway(program, folder=folder) as gateway, Browser(folder) as page:
        page.open(f"http://127.0.0.1:{gateway.port}/")
        kinds = {"events": "events", "socket": "websocket", "next": "poll"}
        for kind, name in kinds.items():
            subscribe(page, kind)
            page.wait_for(f"{STATE} === 'open'", f"{kind}: not subscribed")
            gateway.wait_for_subscribers(**{name: 1})
            page.wait_for(f"document.querySelector('[data-counter={name}]').textContent === '1'", f"{kind}: counter")
            text = f"by {kind} <b>&amp;\nπ"
            publish(page, text)
            page.wait_for(f"{SHOWN}.includes({json.dumps(text)})", f"{kind}: the event is not shown")
            page.wait_for("document.getElementById('outcome').textContent.includes('1 recipient')", "no outcome")
            gateway.publish("news", f"outside, by {kind}")
            page.wait_for(f"{SHOWN}[0] === 'outside, by {kind}'", f"{kind}: the other event is not shown")
            page.value("document.getElementById('toggle').click()")
            gateway.wait_for_subscribers(**{name: 0})
            check(page.value(STATE) == "closed", f"{kind}: {page.value(STATE)}")
        check(page.value(SHOWN + ".length") == 6, page.value(SHOWN))
        page.wait_for("document.querySelector('[data-counter=published]').textContent === '6'", "the counter")
        check(counter(page, "memory").endswith("of 512.0 MiB"), counter(page, "memory"))
        check(not page.complaints, f"on the console: {page.complaints}")
        publish(page, "x" * 70_000)
        page.wait_for("document.getElementById('outcome').textContent.startsWith('413')", "too large an event")


def again(program, folder):
    """The page connects again when the gateway is restarted, and says that events are missing."""
    with Browser(folder) as page:
        with Gateway(program, folder=folder) as gateway:
            port = gateway.port
            page.open(f"http://127.0.0.1:{port}/")
            subscribe(page, "events")
            page.wait_for(f"{STATE} === 'open'", "not subscribed")
            gateway.wait_for_subscribers(events=1)
            gateway.publish("news", "before")
            page.wait_for(f"{SHOWN}[0] === 'before'", "not shown")
            gateway.stop()
        page.wait_for(f"{STATE} === 'bad'", "it does not say that it connects again")
        with Gateway(program, folder=folder, port=port) as gateway:
            page.wait_for(f"{STATE} === 'open'", "not connected again")
            page.wait_for(f"{SHOWN}[0].startsWith('events are missing')", "the reset is not shown")
            gateway.publish("news", "after")
            page.wait_for(f"{SHOWN}[0] === 'after'", "not shown")
            for kind, name in (("socket", "websocket"), ("next", "poll")):
                page.value("document.getElementById('toggle').click()")
                subscribe(page, kind)
                gateway.wait_for_subscribers(**{name: 1})
            page.value("document.getElementById('toggle').click()")
            subscribe(page, "socket")
            gateway.wait_for_subscribers(websocket=1)
            gateway.stop()
        with Gateway(program, folder=folder, port=port) as gateway:
            gateway.wait_for_subscribers(websocket=1)
            page.wait_for(f"{STATE} === 'open'", "not connected again")


def token(program, folder):
    file = os.path.join(folder, "token")
    with open(file, "w") as to:
        to.write("secret\n")
    with Gateway(program, "--token", file, folder=folder) as gateway, Browser(folder) as page:
        page.open(f"http://127.0.0.1:{gateway.port}/")
        publish(page, "without")
        page.wait_for("document.getElementById('outcome').textContent.startsWith('401')", "no 401")
        page.value("document.getElementById('token').value = 'secret'")
        publish(page, "with")
        page.wait_for("document.getElementById('outcome').textContent.startsWith('published')", "not published")


def looks(program, folder):
    """In the widths of a desktop and a phone, light and dark: nothing on the console, nothing wider than the window."""
    pictures = os.environ.get("PUSH_PICTURES")
    with Gateway(program, folder=folder) as gateway, Browser(folder) as page:
        for width, height, is_phone in ((1200, 900, False), (390, 844, True)):
            for theme in ("light", "dark"):
                page.open(f"http://127.0.0.1:{gateway.port}/?{width}-{theme}", width, height, theme, is_phone)
                subscribe(page, "events")
                page.wait_for(f"{STATE} === 'open'", "not subscribed")
                gateway.wait_for_subscribers(events=1)
                for text in ("first", "a long line without breaks " * 20, "w" * 300, "several\nlines\nof text"):
                    publish(page, text)
                    page.wait_for(f"{SHOWN}[0] === {json.dumps(text)}", "not shown")
                page.wait_for("document.querySelector('[data-counter=events]').textContent === '1'", "the counter")
                wide = page.value("document.documentElement.scrollWidth - window.innerWidth")
                check(wide <= 0, f"{width} {theme}: {wide} pixels too wide")
                if pictures:
                    os.makedirs(pictures, exist_ok=True)
                    page.picture(os.path.join(pictures, f"{width}-{theme}.png"))
                page.value("document.getElementById('toggle').click()")
                gateway.wait_for_subscribers(events=0)
        check(not page.complaints, f"on the console: {page.complaints}")


CASES = {
    "page": use,
    "page-again": again,
    "page-token": token,
    "page-looks": looks,
}
