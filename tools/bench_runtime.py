"""How long a reader waits for the page's Python: from the press to an answer, cold and warm; its sizes.

python -m tools.bench_runtime        # in Chromium, from the built book; wants a quiet machine
"""

import gzip
import statistics
import sys
import tempfile

from playwright.sync_api import sync_playwright

from tests.browser import FLAGS, served, system
from tools.runtime.place import ROOT

ROUNDS = 5
HTML = ROOT / "_build" / "html"
PAGE = "book/references.html"
# Milliseconds from the press until the answer is there.
PRESS = """async () => {
    const begun = performance.now();
    document.querySelector('.kv-run-press').click();
    await kvRun.call('about');
    return performance.now() - begun;
}"""


def sizes() -> None:
    for path in sorted(p for p in (HTML / "_static" / "run").rglob("*") if p.is_file()):
        data = path.read_bytes()
        packed = len(gzip.compress(data, 9))
        print(f"{path.name:32} {len(data) / 1e3:10,.1f} kB {packed / 1e3:10,.1f} kB as gzip")


def waits(playwright, address: str) -> tuple[float, float]:
    """Seconds of a first visit, in a browser that has nothing, and of the next one in the same browser."""
    with tempfile.TemporaryDirectory() as profile:
        browser = playwright.chromium.launch_persistent_context(profile, executable_path=system(), args=FLAGS)
        found = []
        for _ in range(2):
            page = browser.new_page()
            page.set_default_timeout(600_000)
            page.goto(address)
            found.append(page.evaluate(PRESS) / 1000)
            page.close()
        browser.close()
    return found[0], found[1]


def main() -> int:
    if not list(HTML.glob("_static/run/runtime-*.json")):
        print("The page's Python: `make book` first; the book that is here has none.")
        return 1
    sizes()
    with sync_playwright() as playwright, served(HTML) as address:
        found = [waits(playwright, f"{address}/{PAGE}") for _ in range(ROUNDS)]
    for name, times in zip(("cold", "warm"), zip(*found, strict=True), strict=True):
        print(f"{name}: {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}) of {ROUNDS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
