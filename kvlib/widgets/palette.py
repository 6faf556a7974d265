"""One palette and one type scale, for the widgets and for matplotlib, in light and in dark.

Everything but `wash` and `rule` can be read as text on paper and on wash (AA: 4.5 to 1).
Nothing is told apart by hue alone: what a hue marks also has a name, a dash or a hatch.
"""

LIGHT = {
    "paper": "#ffffff",
    "wash": "#f4f3ef",
    "rule": "#d5d3cc",
    "ink": "#1d2129",
    "quiet": "#565b66",
    "accent": "#0b6b74",
    "blue": "#2c6596",
    "red": "#b8432a",
    "ochre": "#90660a",
    "teal": "#1f7465",
    "plum": "#7d4a86",
    "grey": "#6a6f79",
}

# The dark paper is the book theme's own, so a figure sits in the page without an edge.
DARK = {
    "paper": "#121212",
    "wash": "#212326",
    "rule": "#3e4247",
    "ink": "#e8e6e1",
    "quiet": "#adb1b8",
    "accent": "#5cc3cc",
    "blue": "#7db4e0",
    "red": "#f08c6c",
    "ochre": "#dcb04c",
    "teal": "#5fc4af",
    "plum": "#c99ad2",
    "grey": "#999da4",
}

# What a colour stands for, the same in every figure.
ROLES = {
    "cache": "red",
    "weights": "blue",
    "overhead": "ochre",
    "free": "grey",
    "spill": "red",
    "queries": "blue",
    "keys": "red",
    "values": "ochre",
    "reserved": "red",
    "exact": "ochre",
    "paged": "blue",
    "full": "red",
    "sliding": "blue",
    "chunked": "teal",
    "latent": "plum",
    "shared": "grey",
    "state": "ochre",
    "cross": "teal",
    "none": "quiet",
    "prefill": "blue",
    "decode": "red",
    "pause": "ochre",
}

# What tells two roles apart without their hue: each one's fill, as static/drawing.js names it ("" is solid).
TEXTURES = {
    "weights": "",
    "cache": "/",
    "overhead": "x",
    "free": ".",
    "spill": "hollow",
    "full": "",
    "sliding": "/",
    "chunked": "x",
    "latent": ".",
    "shared": "hollow",
    "state": "-",
    "cross": "|",
    "none": "hollow",
    "reserved": "/",
    "paged": ".",
    "pause": "/",
}

# Sizes as multiples of the text around a figure.
SCALE = {"small": 0.8, "note": 0.88, "text": 1.0, "large": 1.25, "display": 1.9}


def color(name: str, theme: str = "light") -> str:
    """The hex colour of a hue or a role in a theme ("light" or "dark")."""
    return {"light": LIGHT, "dark": DARK}[theme][ROLES.get(name, name)]


def css() -> str:
    """The palette and scale as CSS variables of `.kv-figure`: --kv-ink, --kv-cache, --kv-size-small…

    Dark follows the page: the book's theme, JupyterLab's, VS Code's, Colab's, else the system's.
    Print is always light. Where the reader's system forces its own colours, every hue is the text's: the
    textures alone tell roles apart then.
    """

    def block(selector, values):
        return f"{selector} {{ {' '.join(f'--kv-{k}: {v};' for k, v in values.items())} }}"

    # A role is its hue's variable, so it follows where the hue is given another colour.
    roles = {k: f"var(--kv-{v})" for k, v in ROLES.items()}
    light = LIGHT | roles | {f"size-{k}": f"{v}em" for k, v in SCALE.items()}
    dark_pages = (
        'html[data-theme="dark"], html[theme="dark"], body[data-jp-theme-light="false"], body.vscode-dark'
    )
    unthemed = "html:not([data-theme], [theme]) body:not([data-jp-theme-light], .vscode-light)"
    forced = dict.fromkeys(LIGHT, "CanvasText !important")
    forced |= {"paper": "Canvas !important", "wash": "Canvas !important", "accent": "LinkText !important"}
    return "\n".join(
        (
            block(".kv-figure", light),
            f"@media screen {{ {block(f':is({dark_pages}) .kv-figure', DARK)} }}",
            f"@media screen and (prefers-color-scheme: dark) {{ {block(unthemed + ' .kv-figure', DARK)} }}",
            f"@media (forced-colors: active) {{ {block('.kv-figure', forced)} }}",
        )
    )


def contrast(a: str, b: str) -> float:
    """WCAG 2's contrast ratio of two hex colours, 1 to 21."""

    def luminance(hex_color):
        channels = [int(hex_color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
