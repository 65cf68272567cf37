"""A headless Chromium, spoken to through its own protocol: open a page, ask it things, take a picture."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip


def executable() -> str | None:
    """The path of Chromium, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """One open page."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._number = connection, 0
        self.failures: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command of the DevTools protocol."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=60))
            if message.get("method") == "Runtime.exceptionThrown":
                self.failures.append(str(message["params"]["exceptionDetails"]))
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, url: str, width: int = 1300, height: int = 1000, dark: bool = False) -> None:
        """Go to a page; `wait_for` what it should show afterwards."""
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)

    def wait_for(self, text: str, timeout_s: float = 60.0) -> None:
        """Until the page's visible text holds `text`. Raises TimeoutError with what it shows instead."""
        self._until(f"(document.body?.innerText ?? '').includes({json.dumps(text)})", repr(text), timeout_s)

    def wait_for_element(self, selector: str, timeout_s: float = 60.0) -> None:
        """Until a CSS selector finds something. Raises TimeoutError with the page's text."""
        self._until(f"document.querySelector({json.dumps(selector)}) !== null", selector, timeout_s)

    def _until(self, expression: str, wanted: str, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while not self.ask(expression):
            if time.monotonic() > until:
                shown = self.ask("document.body ? document.body.innerText : ''") or ""
                raise TimeoutError(f"no {wanted} on the page, but: {shown[:800]}")
            time.sleep(0.2)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of the first element that the CSS selector finds."""
        found = self.ask(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})?.getBoundingClientRect();"
            " return b ? [b.left + b.width / 2, b.top + b.height / 2] : null })()"
        )
        assert found, f"nothing matches {selector}"
        for kind, button in (("mouseMoved", "none"), ("mousePressed", "left"), ("mouseReleased", "left")):
            place = {"x": found[0], "y": found[1], "button": button, "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, **place)

    def picture(self, path: Path, full: bool = False) -> Path:
        """Save a screenshot as PNG; with `full` of the whole page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"]
        path.write_bytes(base64.b64decode(data))
        return path


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with a new, empty profile in `folder`, and its one page."""
    path = executable()
    assert path is not None
    process = subprocess.Popen(
        [path, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _port(folder / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            target = next(page for page in json.load(answer) if page["type"] == "page")
        with connect(target["webSocketDebuggerUrl"], max_size=None, compression=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(file: Path) -> int:
    """Chromium writes the port it chose into its profile."""
    for _ in range(300):
        if file.exists() and (text := file.read_text().split()):
            return int(text[0])
        time.sleep(0.1)
    raise TimeoutError("Chromium did not start")
