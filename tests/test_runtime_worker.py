"""The one worker of a page: what it loads, what stops it, and that the page outlives whatever it does.

Every run here is Pyodide's, in Chromium, on a small page (runtime_site.py) whose kvlib runs the test's code.
"""

import pytest

from .browser import chromium, served, violations  # noqa: F401
from .runtime_site import STARTS, bench, lay_out, needs_runtime  # noqa: F401


def opened(chromium, address):  # noqa: F811
    """The page, before anything is pressed, and what it complains of; no other host may be asked."""
    page, wrong = chromium.new_page(viewport={"width": 1280, "height": 900}), []
    page.set_default_timeout(STARTS)
    here = address.split("/book/")[0]
    page.on("request", lambda r: None if r.url.startswith((here, "data:")) else wrong.append(r.url))
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.add_init_script("addEventListener('kv-run', e => (globalThis.told ??= []).push(e.detail), true)")
    page.goto(address)
    return page, wrong


@pytest.fixture
def page(chromium, bench):  # noqa: F811
    page, wrong = opened(chromium, bench)
    yield page
    page.close()
    assert wrong == []


@pytest.fixture(scope="module")
def long_lived(chromium, bench):  # noqa: F811
    page, wrong = opened(chromium, bench)
    yield page, wrong
    page.close()


@pytest.fixture
def warm(long_lived):
    """One page for many tests, as a reader has it: what one run does must not be felt in the next."""
    page, wrong = long_lived
    wrong.clear()
    yield page
    assert wrong == []


def call(page, code, limit=600):
    """What a call gives: its answer, or `[state, sentence]` where it is rejected."""
    return page.evaluate(
        "([code, limit]) => kvRun.call('about', { code }, { limit }).catch(e => [e.state, e.message])",
        [code, limit],
    )


def state(page):
    return page.evaluate("kvRun.state")


def ended(page):
    """Waits until the worker is no more: one that is in the middle of something takes a moment."""
    for _ in range(6000):
        if not page.workers:
            return True
        page.wait_for_timeout(100)
    return False


def told(page):
    return page.evaluate("told.map(d => d.state).filter((s, i, all) => s !== all[i - 1])")


def test_it_loads_by_bytes_and_answers(page):
    assert state(page) == "idle"
    assert call(page, "value = 6 * 7") == {"value": 42}
    assert told(page) == ["loading", "ready", "busy", "ready"]
    parts = page.evaluate("told.filter(d => d.state === 'loading' && d.total)")
    assert [p["loaded"] for p in parts] == sorted(p["loaded"] for p in parts) and len(parts) > 5
    size = page.evaluate("Number(document.querySelector('script[data-bytes]').dataset.bytes)")
    assert parts[-1]["loaded"] == parts[-1]["total"] == size
    assert len(page.workers) == 1
    # What is asked at once is answered in turn, and a mistake stops nothing.
    both = "Promise.all(['1', '1 / 0', '3'].map(n => kvRun.call('about', { code: `value = ${n}` })))"
    first, second, third = page.evaluate(both)
    assert (first, third) == ({"value": 1}, {"value": 3}) and "ZeroDivisionError" in second["bug"]
    assert len(page.workers) == 1


def test_an_endless_loop_is_stopped_and_the_next_run_is_fresh(warm):
    assert call(warm, "import kvlib; kvlib.spoilt = value = 1") == {"value": 1}
    # Meanwhile the page draws.
    drawn = """() => {
        const lost = kvRun.call('about', { code: 'while True: pass' }, { limit: 5 });
        globalThis.lost = lost.catch(e => [e.state, e.message]);
        const drawn = new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        return Promise.race([globalThis.lost, drawn.then(() => kvRun.state)]);
    }"""
    assert warm.evaluate(drawn) == "busy"
    stopped, sentence = warm.evaluate("lost")
    assert stopped == "stopped" == state(warm) and sentence == warm.evaluate("kvRun.sentence")
    assert sentence == "Stopped after 5 seconds without an end. The next run starts afresh."
    assert ended(warm)
    assert call(warm, "import kvlib; value = hasattr(kvlib, 'spoilt')") == {"value": False}


def test_stop_ends_what_runs_and_what_waits(warm):
    call(warm, "")
    warm.evaluate(
        """() => { globalThis.lost = Promise.all(['while True: pass', 'value = 1'].map(
            code => kvRun.call('about', { code }).catch(e => e.state))); }"""
    )
    warm.get_by_role("button", name="Stop").click()
    assert warm.evaluate("lost") == ["stopped", "stopped"] and ended(warm)
    assert warm.get_by_role("button", name="Run here again").is_visible()


@pytest.mark.parametrize(
    "hog", ["bytearray(2**30)", "[bytearray(2**22) for _ in range(1000)]", "'x' * 2**30"]
)
def test_a_memory_hog_is_refused_and_the_next_run_is_fresh(warm, hog):
    assert call(warm, f"value = len({hog})") == {"error": "This needs more memory than there is."}
    assert state(warm) == "idle" and ended(warm)
    assert call(warm, "value = 1") == {"value": 1}


def test_a_hog_that_hides_its_memory_error_is_ended_all_the_same(warm):
    hide = "try: bytearray(2**30)\nexcept MemoryError: value = 'hidden'"
    assert call(warm, hide) == {"value": "hidden"}
    assert ended(warm)


def test_endless_output_is_kept_within_bounds(warm):
    assert len(call(warm, "print('x' * 10**7)")["printed"]) < 11_000
    assert call(warm, "while True: print('x' * 1000)", limit=2)[0] == "stopped"
    assert call(warm, "import os\nfor _ in range(1000): os.write(1, b'x' * 1000)") == {"value": None}


@pytest.mark.parametrize(
    "code",
    [
        "def f(): f()\nf()",
        "import sys; sys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)",
        "import sys; sys.exit(1)",
        "import os; os._exit(1)",
        "import os; os.abort()",
    ],
)
def test_what_breaks_python_leaves_the_page_alive(warm, long_lived, code):
    said = call(warm, code)
    assert "error" in said or "bug" in said
    assert call(warm, "value = 1") == {"value": 1}
    wrong = long_lived[1]
    assert not wrong or "Pyodide has suffered a fatal error" in wrong[0]  # it says so itself
    wrong.clear()


def test_a_readers_code_finds_nothing_that_sends(warm):
    look = """
import js, pyodide_js
run = pyodide_js.runPython.constructor  # JavaScript's Function
names = ("fetch", "XMLHttpRequest", "WebSocket", "EventSource", "Worker", "indexedDB", "caches", "navigator")
value = [name for name in names if run(f"return typeof {name}")() != "undefined" or hasattr(js, name)]
"""
    assert call(warm, look) == {"value": []}
    assert call(warm, "import js; value = hasattr(js, 'postMessage')") == {"value": False}


def test_loading_can_be_cancelled(page):
    page.get_by_role("button", name="Run here").click()
    page.get_by_role("button", name="Cancel").click()
    assert state(page) == "stopped" and ended(page)
    assert page.evaluate("kvRun.call('about', { code: 'value = 1' })") == {"value": 1}


def test_the_panel_is_used_by_keyboard_and_says_where_it_is(page):
    said = page.get_by_role("status")
    assert "MB, once. Nothing that you enter leaves this page." in said.inner_text()
    assert violations(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("progressbar", name="Python, loaded").wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="End Python").wait_for()
    # Where the focus was, it is.
    assert page.evaluate("document.activeElement.textContent") == "End Python"
    assert said.inner_text() == "Python runs in this page." and violations(page) == []


def test_what_is_missing_is_named_and_can_be_tried_again(chromium, tmp_path):  # noqa: F811
    needs_runtime()
    lay_out(tmp_path)
    [archive] = (tmp_path / "_static" / "run").glob("kvlib-*.zip")
    held = archive.read_bytes()
    archive.unlink()
    page = chromium.new_page()
    page.set_default_timeout(STARTS)
    with served(tmp_path) as address:
        page.goto(f"{address}/book/index.html")
        failed, sentence = call(page, "")
        assert failed == "failed" == state(page)
        assert sentence == f"Python could not be started: /_static/run/{archive.name} was not found (404)."
        archive.write_bytes(held)
        page.get_by_role("button", name="Try again").click()
        page.get_by_role("button", name="End Python").wait_for()
    page.close()


def absent(page):
    """The sentence that an absent runtime says, in the panel and to whoever calls."""
    said = page.evaluate("kvRun.call('about').catch(e => [e.state, e.message])")
    assert said == ["absent", page.evaluate("kvRun.sentence")] and state(page) == "absent"
    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("status").inner_text() == said[1]
    return said[1]


def test_left_out_the_page_says_how_to_have_it(chromium, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("RUNTIME", "no")
    lay_out(tmp_path)
    page = chromium.new_page()
    with served(tmp_path) as address:
        page.goto(f"{address}/book/index.html")
        assert "`make book`" in absent(page)
    page.close()


def test_from_a_file_the_page_names_make_serve(chromium, tmp_path):  # noqa: F811
    page = chromium.new_page()
    page.goto(lay_out(tmp_path).as_uri())
    assert "`make serve`" in absent(page)
    page.close()
