"""How light and how quick the figures are: payload, first paint, input to repaint; a table.

python -m tools.bench_widgets        # in Chromium, from a file
"""

import gzip
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from kvlib import widgets
from tests.browser import document, launch, show
from tests.quality_record import record

INPUTS = 200
SLOWED = 4  # how many times slower than this machine a weak one is taken to be


def make(name):
    """A figure as it comes; its size is the same with a made-up record as with a measured one."""
    figure = getattr(widgets, name)
    return figure(record()) if name == "CheaperCaches" else figure()


# From the page's first byte to the frame after the figure stands.
PAINTED = """new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"""

# Every slider in turn is moved; a macrotask after the next frame the change is on screen.
DRAG = """async inputs => {
    const sliders = [...document.querySelectorAll('.kv-figure input[type=range]')];
    const times = [], work = [];
    for (let i = 0; i < inputs; i++) {
        const slider = sliders[i % sliders.length];
        const steps = (slider.max - slider.min) / slider.step;
        slider.value = Number(slider.min) + ((i * 7) % (steps + 1)) * slider.step;
        await new Promise(requestAnimationFrame);
        const start = performance.now();
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        await Promise.resolve();
        document.body.getBoundingClientRect();
        work.push(performance.now() - start);
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        times.push(performance.now() - start);
    }
    return { work, times };
}"""


def p95(values):
    return statistics.quantiles(values, n=20)[-1]


def measure(browser, folder, figure):
    html = figure.html().encode()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    show(page, folder, figure)
    painted = page.evaluate(PAINTED)
    moved = page.evaluate(DRAG, INPUTS)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    slowed = page.evaluate(DRAG, INPUTS)
    page.close()
    size = len(html), len(gzip.compress(html, 9))
    return *size, painted, p95(moved["work"]), p95(moved["times"]), p95(slowed["work"])


def main():
    names = sys.argv[1:] or widgets.__all__
    print(
        f"{'figure':<16}{'bytes':>9}{'gzipped':>9}{'painted':>10}{'redraw p95':>12}{'to screen p95':>15}"
        f"{f'redraw p95, {SLOWED} × slower':>28}"
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright)
        show(browser.new_page(), Path(folder))  # a first page, so that no figure pays for the start
        for name in names:
            size, packed, painted, work, times, slow = measure(browser, Path(folder), make(name))
            print(
                f"{name:<16}{size:>9,}{packed:>9,}{painted:>7.0f} ms{work:>9.1f} ms{times:>12.1f} ms"
                f"{slow:>25.1f} ms"
            )
        browser.close()
    together = gzip.compress(document(*map(make, names)).encode(), 9)
    print(f"all on one page, gzipped: {len(together):,} bytes")


if __name__ == "__main__":
    main()
