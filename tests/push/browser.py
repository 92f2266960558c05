"""Headless Chromium, controlled through its debugging protocol over two pipes."""

import contextlib
import base64
import json
import os
import shutil
import subprocess
import time

from gateway import Skipped, check


class Browser:
    """One page of a browser, which is ended at the end."""

    def __init__(self, folder):
        program = os.environ.get("CHROMIUM") or shutil.which("chromium")
        if not program:
            raise Skipped("Chromium is not installed: apt-get install chromium")
        commands, answers = os.pipe(), os.pipe()
        # The browser reads from descriptor 3 and writes to descriptor 4.
        script = f'exec "$0" "$@" 3<&{commands[0]} 4>&{answers[1]}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--hide-scrollbars", f"--user-data-dir={folder}/chromium",
             "--remote-debugging-pipe"],
            pass_fds=[commands[0], answers[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands[0])
        os.close(answers[1])
        self.commands, self.answers = os.fdopen(commands[1], "wb"), os.fdopen(answers[0], "rb")
        self.rest, self.number, self.session, self.complaints, self.events = b"", 0, None, [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session = None
        with contextlib.suppress(AssertionError, OSError):
            self.call("Browser.close")
            while os.read(self.answers.fileno(), 1 << 16):  # until it has written its profile and ended
                pass
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.commands.close()
        self.answers.close()

    def _message(self):
        while b"\0" not in self.rest:
            piece = os.read(self.answers.fileno(), 1 << 16)
            check(piece, "Chromium has ended")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            got = self._message()
            if got.get("id") == self.number:
                check("error" not in got, f"{method}: {got}")
                return got["result"]
            self._note(got)

    def _note(self, event):
        parameters = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled":
                self.complaints.append(" ".join(str(each.get("value")) for each in parameters["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(parameters["entry"]["text"])

    def value(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        check("exceptionDetails" not in got, f"{expression}: {got}")
        return got["result"].get("value")

    def wait_for(self, expression, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not self.value(expression):
            check(time.monotonic() < deadline, f"{what}: {self.value('document.body.innerText')}; {self.complaints}")
            time.sleep(0.05)

    def open(self, url, width=1200, height=900, theme="light", is_phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Page.navigate", url=url)
        self.wait_for(f"document.readyState === 'complete' && location.href === {json.dumps(url)}", "not loaded")

    def picture(self, file):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(file, "wb") as to:
            to.write(base64.b64decode(data))
