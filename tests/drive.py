"""Drive a figure's own script in Chromium through many states, and read what it shows at each."""

import json

from kvlib.widgets.base import code, style


def drive(page, figure, points, read):
    """For each point (trait -> value), set it and return `read`, a JS function of the element, as JSON."""
    page.goto("about:blank")
    page.add_style_tag(content=style(figure.script))
    page.add_script_tag(content=code(figure.script))
    return page.evaluate(
        """async ([state, points, read]) => {
            const el = document.createElement("div"), model = new PageModel(JSON.parse(state));
            document.body.append(el);
            render({ model, el });
            const said = [];
            for (const point of JSON.parse(points)) {
                for (const [key, value] of Object.entries(point)) model.set(key, value);
                await null;
                said.push(eval(read)(el));
            }
            return said;
        }""",
        [json.dumps(figure.synced()), json.dumps(points), read],
    )


def live(page, figure):
    """Draw the figure as where there is a kernel: its model is `model`, what each save sends is in `sent`."""
    page.goto("about:blank")
    page.add_style_tag(content=style(figure.script))
    page.add_script_tag(content=code(figure.script))
    page.evaluate(
        """state => {
            // A model that is not the page's own is a kernel's.
            const inner = new PageModel(JSON.parse(state)), unsent = {};
            const names = ["get", "on", "off"];
            globalThis.sent = [];
            globalThis.model = {
                ...Object.fromEntries(names.map(name => [name, inner[name].bind(inner)])),
                set: (key, value) => { unsent[key] = value; inner.set(key, value); },
                save_changes: () => {
                    sent.push({ ...unsent });
                    for (const key of Object.keys(unsent)) delete unsent[key];
                },
            };
            const el = document.createElement("div");
            document.body.append(el);
            render({ model, el });
        }""",
        json.dumps(figure.synced()),
    )
