"""A real browser, asked to show one file and to say what it did: pixels, the page it made of it, words, requests."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--enable-logging=stderr", "--v=0",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND",  # what the browser itself would like to ask
)  # fmt: skip
SCHEMES = {"dark": 0, "light": 1}


@dataclass(frozen=True)
class Shown:
    """What came of it. console: messages of the page. requests: what the page asked for, files and data apart."""

    screenshot: Path
    dom: str
    console: list[str]
    requests: list[str]


def browse(browser: str, address: str, folder: Path, scheme: str = "light", size: str = "1280,900") -> Shown:
    """Open an address twice, in new profiles under `folder`: for its pixels, and for the page made of it."""
    shot, log = folder / f"{scheme}.png", folder / "net.json"
    words = _run(browser, address, folder, scheme, size, f"--screenshot={shot}", f"--log-net-log={log}")
    done = _run(browser, address, folder, scheme, size, "--dump-dom", "--virtual-time-budget=3000")
    console = re.findall(r"CONSOLE[^\n]*", words.stderr + done.stderr)
    return Shown(shot, done.stdout, console, requests(log))


def _run(
    browser: str, address: str, folder: Path, scheme: str, size: str, *more: str
) -> subprocess.CompletedProcess[str]:
    profile = folder / f"profile-{len(list(folder.glob('profile-*')))}"
    settings = (f"--user-data-dir={profile}", f"--window-size={size}",
                f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}")  # fmt: skip
    return subprocess.run(
        [browser, *FLAGS, *settings, *more, address], capture_output=True, text=True, timeout=120, check=True
    )


def requests(log: Path) -> list[str]:
    """Addresses that a page asked the network for; what the browser asks for itself has no origin, and is left out."""
    found: dict[str, Any] = json.loads(log.read_text(encoding="utf-8"))
    kind = found["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event.get("params", {}) for event in found["events"] if event["type"] == kind]
    return [item["url"] for item in asked if item.get("initiator", "not an origin") != "not an origin"]


def needed_px(browser: str, file: Path, folder: Path, width_px: int) -> int:
    """How wide a page becomes in a frame of `width_px`, which may be narrower than the browser's narrowest window."""
    said = "setTimeout(() => parent.postMessage(document.documentElement.scrollWidth, '*'), 100)"
    text = file.read_text(encoding="utf-8").replace("Content-Security-Policy", "x-none")
    (folder / "inner.html").write_text(f"{text}<script>{said}</script>", encoding="utf-8")
    heard = "<script>onmessage = event => { document.title = event.data }</script>"
    frame = folder / "frame.html"
    frame.write_text(f'{heard}<iframe width="{width_px}" height="900" style="border:0" src="inner.html"></iframe>')
    found = re.search(r"<title>(\d+)</title>", browse(browser, frame.as_uri(), folder).dom)
    assert found is not None
    return int(found[1])
