"""Paging by mouse, touch and keyboard: a token is pointed at, requests are dragged in and taken away."""

import re

import pytest

from kvlib.widgets import Paging
from kvlib.widgets.paging import key

from .browser import chromium, page, show  # noqa: F401
from .serving_words import followed


def opened(page, tmp_path, hash="", **values):  # noqa: F811
    """Show a figure; returns it and what its state is in the page's address and controls."""
    w = Paging(**values)
    show(page, tmp_path, w, hash=hash)
    return w


def path(page):  # noqa: F811
    return page.locator(".kv-paging-followed").inner_text()


def pad(page, kind="paged"):  # noqa: F811
    return page.locator(f".kv-paging-{kind} .kv-paging-pad")


def on_token(page, token, kind="paged"):  # noqa: F811
    """Where a token of the request lies on the screen."""
    box = pad(page, kind).bounding_box()
    cell = (box["width"] - 2) / 32
    return box["x"] + 1 + (token % 32 + 0.5) * cell, box["y"] + (token // 32 + 0.5) * 17


def test_a_mouse_points_for_as_long_as_it_is_there_and_a_click_stays(page, tmp_path):  # noqa: F811
    w = opened(page, tmp_path)
    newest = min(h.tokens for f in w.frames for h in f.running if h.request == w.request) - 1
    assert path(page) == followed(w, newest)
    pad(page).scroll_into_view_if_needed()
    for kind, token in (("paged", 3), ("paged", 37), ("reserved", 40)):
        page.mouse.move(*on_token(page, token, kind))
        assert path(page) == followed(w, token)
    page.mouse.move(5, 5)
    assert path(page) == followed(w, newest)
    page.mouse.click(*on_token(page, 18))
    page.mouse.move(5, 5)
    assert path(page) == followed(w, 18)
    page.wait_for_url(re.compile("paging.token=18"))
    page.reload()
    assert path(page) == followed(w, 18)


def test_the_token_is_a_slider_for_the_keyboard(page, tmp_path):  # noqa: F811
    w = opened(page, tmp_path, token=20)
    slider = page.get_by_role("slider", name="Token of request A")
    slider.focus()
    at = 20
    for name, by in (("ArrowRight", 1), ("ArrowUp", 1), ("PageUp", 16), ("ArrowLeft", -1), ("PageDown", -16)):
        page.keyboard.press(name)
        at += by
        assert path(page) == followed(w, at) == slider.get_attribute("aria-valuetext")
        assert slider.get_attribute("aria-valuenow") == str(at)
    last = next(h.tokens for h in w.frames[1].running if h.request == w.request) - 1
    for name, token in (("End", last), ("ArrowRight", last), ("Home", 0), ("ArrowLeft", 0)):
        page.keyboard.press(name)
        assert path(page) == followed(w, token)
    page.wait_for_function("document.querySelector('.kv-spoken').textContent.startsWith('Token 0 of A.')")


def test_a_slot_of_the_memory_leads_back_to_its_token(page, tmp_path):  # noqa: F811
    w = opened(page, tmp_path)
    picture = page.locator(".kv-paging-paged svg[role=img]")
    box = picture.bounding_box()
    cell = (box["width"] - 2) / 32
    memory = box["height"] - 2 - 16 * 17  # the top of the memory in the drawing
    other = next(h for h in w.frames[1].running if h.request != w.request and h.tokens > 20)
    block, offset = other.blocks[1], 3
    slot = block * 16 + offset
    picture.click(position={"x": 1 + (slot % 32 + 0.5) * cell, "y": memory + (slot // 32 + 0.5) * 17})
    w.set_state({"request": other.request, "token": 16 + offset})
    assert path(page) == followed(w, 16 + offset)
    assert page.get_by_label("Request", exact=True).evaluate("e => e.selectedIndex") == other.request


MARKED = "document.querySelector('.kv-paging-drop').textContent === 'arrives at step 60'"


@pytest.mark.parametrize("touch", [False, True])
def test_a_request_is_dragged_to_a_step_of_the_time_line(chromium, tmp_path, touch):  # noqa: F811
    size = {"width": 360, "height": 740} if touch else {"width": 900, "height": 900}
    context = chromium.new_context(viewport=size, has_touch=touch)
    page = context.new_page()  # noqa: F811
    opened(page, tmp_path)
    line, chip = page.locator(".kv-paging-line"), page.locator(".kv-paging-offer").nth(2)
    line.scroll_into_view_if_needed()
    a, b = chip.bounding_box(), line.bounding_box()
    start = a["x"] + a["width"] / 2, a["y"] + a["height"] / 2
    end = b["x"] + 62 + 60 / 159 * (b["width"] - 82), b["y"] + 40
    if touch:
        cdp = context.new_cdp_session(page)

        def send(kind, points):
            cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        send("touchStart", [{"x": start[0], "y": start[1]}])
        for part in (0.3, 0.7, 1):
            x, y = (p + part * (q - p) for p, q in zip(start, end, strict=True))
            send("touchMove", [{"x": x, "y": y}])
        page.wait_for_function(MARKED)
        send("touchEnd", [])
    else:
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*end, steps=4)
        page.wait_for_function(MARKED)
        page.mouse.up()
    page.wait_for_url(re.compile(r"paging.added=60\.2.*"))
    assert (
        page.get_by_label("Request", exact=True)
        .evaluate("e => e.selectedOptions[0].text")
        .endswith("from step 60")
    )
    assert page.locator(".kv-paging-drop").text_content() == ""
    assert page.locator(".kv-paging-line > g").count() == 18  # 17 requests, and what marks a drop
    context.close()


def test_what_is_dropped_into_the_memory_arrives_now_and_elsewhere_not_at_all(page, tmp_path):  # noqa: F811
    opened(page, tmp_path, step=9)
    page.set_viewport_size({"width": 900, "height": 1500})
    chip = page.locator(".kv-paging-offer").first
    for target, added in ((".kv-title", ""), (".kv-paging-reserved svg[role=img]", "9.0")):
        a, b = chip.bounding_box(), page.locator(target).bounding_box()
        page.mouse.move(a["x"] + 10, a["y"] + 10)
        page.mouse.down()
        page.mouse.move(b["x"] + 20, b["y"] + 5, steps=3)
        page.mouse.up()
        page.wait_for_timeout(500)
        assert re.findall(r"paging.added=([^&]*)", page.url or "") in (
            [added],
            [] if added == "" else [added],
        )
    options = page.get_by_label("Request", exact=True).locator("option").all_inner_texts()
    assert len(options) == 17 and options[-1].startswith("Q: 32 + 9 tokens, from step 9")


def test_requests_are_added_by_keyboard_and_taken_away(page, tmp_path):  # noqa: F811
    w = opened(page, tmp_path, step=12)
    add = page.get_by_role("button", name="+ 62 + 42 tokens")
    for _ in range(7):
        add.press("Enter")
    assert "Six are added" in page.locator(".kv-notice").inner_text()
    w.set_state({"added": "_".join(["12.2"] * 6), "request": 21})
    names = zip(("Reserved", "Paged"), w.frames, strict=True)
    said = [f"{name}: {len(frame.running)} running" for name, frame in names]
    assert page.locator(".kv-side .kv-heading").all_inner_texts() == said
    assert page.locator(".kv-paging-cross").count() == w.runs["16"].summary()["preempted"] > 5
    take = page.get_by_role("button", name="Take the last away")
    for left in (5, 4, 3, 2, 1, 0, 0):
        take.press("Enter")
        assert page.get_by_label("Request", exact=True).locator("option").count() == 16 + left
    assert page.locator(".kv-notice").inner_text() == ""


def test_a_link_holds_what_was_added(page, tmp_path):  # noqa: F811
    hash = "#paging.added=3.2_20.1&paging.step=30&paging.request=17&paging.token=2&paging.share_prefix=true"
    opened(page, tmp_path, hash=hash)
    w = Paging(added="3.2_20.1", step=30, request=17, token=2, share_prefix=True)
    assert path(page) == followed(w, 2) and page.locator(".kv-notice").inner_text() == ""
    page.get_by_role("button", name="Reset").press("Enter")
    first = Paging()
    assert path(page) == followed(first, min(frame.running[0].tokens for frame in first.frames) - 1)


@pytest.mark.parametrize("bad", ["3.7", "1.0_1.0_1.0_1.0_1.0_1.0_1.0", "<b>", "9999.0"])
def test_a_link_that_adds_nothing_known_is_refused(page, tmp_path, bad):  # noqa: F811
    opened(page, tmp_path, hash=f"#paging.added={bad}&paging.request=21")
    assert "can't be read" in page.locator(".kv-notice").inner_text()
    assert page.get_by_label("Request", exact=True).evaluate("e => e.selectedIndex") == 15


def test_one_button_leads_to_the_next_preemption_and_one_to_the_next_copy(page, tmp_path):  # noqa: F811
    w = opened(page, tmp_path, step=0)
    field = page.get_by_role("spinbutton", name="Step", exact=True)
    thrown = [f.step for f in w.runs["16"].frames if f.preempted]
    for step in [*thrown, thrown[0]]:
        page.get_by_role("button", name="Next preemption").press("Enter")
        assert field.input_value() == str(step)
        assert "is thrown out, and" in page.locator(".kv-paging-happened").inner_text()
        assert page.locator(".kv-paging-thrown").count() == 1
    copied = [f.step for f in w.runs[key(16, True)].frames if f.copied]
    page.get_by_role("button", name="Next copy-on-write").press("Enter")
    assert page.get_by_role("checkbox", name="Share the system prompt").is_checked()
    assert field.input_value() == str(next(step for step in copied if step > thrown[0]))
    assert page.locator(".kv-paging-copy").count() >= 1
    page.get_by_label("Block size").select_option("8")  # 24 tokens fill three blocks: nothing to copy
    page.get_by_role("button", name="Next copy-on-write").press("Enter")
    assert "no shared block is partly filled" in page.locator(".kv-notice").inner_text()
    page.get_by_role("button", name="Next preemption").press("Enter")
    assert "the memory is never short" in page.locator(".kv-notice").inner_text()


def test_a_copy_moves_unless_the_reader_asked_for_less_motion(chromium, tmp_path):  # noqa: F811
    frames = Paging(share_prefix=True).runs[key(16, True)].frames
    step = next(f.step for f in frames if f.copied and f.step)
    for motion, moves in (("no-preference", 1), ("reduce", 0)):
        context = chromium.new_context(reduced_motion=motion)
        page = context.new_page()  # noqa: F811
        page.add_init_script(
            "globalThis.moved = []; Element.prototype.animate = (frames) => { moved.push(frames); };"
        )
        opened(page, tmp_path, share_prefix=True, step=step - 1)
        page.get_by_role("button", name="Next: Step").press("Enter")
        page.wait_for_selector(".kv-paging-copy", state="attached")
        moved = page.evaluate("moved")
        assert len(moved) == moves * len(frames[step].copied)
        assert all(re.fullmatch(r"translate\(-?[\d.]+px, -?[\d.]+px\)", m[0]["transform"]) for m in moved)
        context.close()


def test_the_words_keep_their_room_while_it_plays(page, tmp_path):  # noqa: F811
    """Nothing inside the figure moves either: the memories and the time line stay where they are."""
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        opened(page, tmp_path, step=0, share_prefix=True)
        slider = page.get_by_role("slider", name="Step, slider")
        tops = """() => ['.kv-paging-paged svg[role=img]', '.kv-paging-line', '.kv-paging-followed'].map(s =>
            document.querySelector(s).getBoundingClientRect().top + scrollY)"""
        slider.focus()
        seen = set()
        for _ in range(100):
            seen.add(tuple(page.evaluate(tops)))
            page.keyboard.press("ArrowRight")
        assert len(seen) == 1, seen


def test_it_plays_and_pauses(page, tmp_path):  # noqa: F811
    opened(page, tmp_path, step=0)
    page.get_by_role("button", name="Play: Step").click()
    page.wait_for_function("document.querySelector('input[type=number]').value >= 2")
    page.get_by_role("button", name="Pause: Step").click()
    assert page.get_by_role("button", name="Play: Step").inner_text() == "Play"


def test_controls_by_keyboard(page, tmp_path):  # noqa: F811
    w = opened(page, tmp_path, step=0)
    page.get_by_role("button", name="Next: Step").press("Enter")
    assert page.get_by_role("spinbutton", name="Step").input_value() == "1"
    page.get_by_role("slider", name="Step, slider").press("End")
    assert page.locator(".kv-side .kv-heading").nth(1).inner_text().startswith("Paged: done after")
    page.get_by_label("Request", exact=True).select_option(index=3)
    assert path(page).startswith("Token 103 of D. Reserved: done. Paged: done.")
    page.get_by_role("checkbox", name="Share the system prompt").press("Space")
    page.get_by_label("Block size").select_option("8")
    steps = len(w.runs["8+"].frames)
    assert f"Paged: done after {steps} steps" in page.locator(".kv-body").inner_text()
