"""A headless Chromium, driven through chromedriver's W3C WebDriver interface."""

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE = 30.0
# An answer of the driver's is from this machine, whatever proxy is set.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """A session; `logged` returns what came since it was last asked."""

    def __init__(self, root, session):
        self._base = f"{root}/session/{session}"

    def open(self, path):
        self._post("url", url=path.as_uri())

    def script(self, body, *arguments):
        return self._post("execute/sync", script=body, args=list(arguments))

    def logged(self, kind):
        return self._post("se/log", type=kind)

    def requested(self):
        """Return the addresses that were asked for."""
        said = [json.loads(entry["message"])["message"] for entry in self.logged("performance")]
        return [
            each["params"]["request"]["url"]
            for each in said
            if each["method"] == "Network.requestWillBeSent"
        ]

    def command(self, name, **parameters):
        """Send a command of the DevTools protocol."""
        return self._post("goog/cdp/execute", cmd=name, params=parameters)

    def resize(self, width, height, *, dark=False, medium=""):
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    def picture(self, path):
        path.write_bytes(base64.b64decode(self._get("screenshot")))

    def keys(self, *pressed):
        """Press keys, one after the other."""
        actions = [{"type": kind, "value": k} for k in pressed for kind in ("keyDown", "keyUp")]
        self._post("actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def drag(self, start, stop):
        """Move the pointer from one place (px) to the other with its button down."""
        places = [{"type": "pointerMove", "duration": 0, "x": x, "y": y} for x, y in (start, stop)]
        actions = [
            places[0],
            {"type": "pointerDown", "button": 0},
            places[1],
            {"type": "pointerUp", "button": 0},
        ]
        self._post("actions", actions=[{"type": "pointer", "id": "mouse", "actions": actions}])

    def quit(self):
        _send("DELETE", self._base)

    def _post(self, name, **content):
        return _send("POST", f"{self._base}/{name}", content)

    def _get(self, name):
        return _send("GET", f"{self._base}/{name}")


@contextmanager
def browser(folder):
    """Yield a browser whose profile is in `folder`."""
    log = folder / "chromedriver.log"
    with (
        log.open("w") as output,
        subprocess.Popen([DRIVER, "--port=0"], stdout=output, stderr=output) as driver,
    ):
        try:
            root = f"http://127.0.0.1:{_port(log, driver)}"
            profile = f"--user-data-dir={folder / 'profile'}"
            options = {"binary": CHROMIUM, "args": [*_FLAGS, profile]}
            wanted = {
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            capabilities = {"capabilities": {"alwaysMatch": wanted}}
            session = _send("POST", f"{root}/session", capabilities)["sessionId"]
            opened = Browser(root, session)
            try:
                yield opened
            finally:
                opened.quit()
        finally:
            driver.terminate()


def _port(log, driver):
    """Return the port that the driver says it has."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and driver.poll() is None:
        _, said, rest = log.read_text().partition("started successfully on port ")
        if said and "." in rest:
            return int(rest.partition(".")[0])
        time.sleep(0.05)
    raise RuntimeError(f"chromedriver did not start: {log.read_text()}")


def _send(method, address, content=None):
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(  # noqa: S310  the driver's own address
        address, body, {"Content-Type": "application/json"}, method=method
    )
    try:
        with _OPENER.open(request, timeout=60.0) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["value"]["message"]) from None
