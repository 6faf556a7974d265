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
        [json.dumps(figure.state()), json.dumps(points), read],
    )
