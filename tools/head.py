"""Sphinx extension: what search engines, previews of links and lost readers get of the book.

Every page has a description and Open Graph's tags. Addresses must be absolute there, so the picture, the
page's own address, sitemap.xml and robots.txt are written only where it is known where the book is published:
`html: baseurl:` in _config.yml, else GitHub Pages of the repository, once that is not the placeholder.
"""

import textwrap
from html import escape
from pathlib import Path
from urllib.parse import quote

from . import chapters
from .notebooks import PLACEHOLDER, repository

NAME = "The KV cache, to the byte"
LONGEST = 200  # characters of a description: more is cut off where it is shown
# Without an icon named, a browser asks for /favicon.ico, which is not there.
ICON = '<link rel="icon" href="_static/favicon.svg">'
LOST = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">
<base href="{base}">{icon}<title>No such page · {name}</title>
<style>body {{ max-width: 36rem; margin: 10vh auto; padding: 0 1rem; font: 1.1rem/1.6 system-ui }}</style>
</head><body><main><h1>There is no such page</h1>
<p>It may have moved. <a href="search.html">Search the book</a>, or go on from its contents:</p>
<ul>
{pages}
</ul></main></body></html>
"""

DOOR = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{icon}
<meta http-equiv="refresh" content="0; url={first}"><title>{name}</title></head>
<body><p><a href="{first}">{name}</a></p></body></html>
"""


def pages_address(url: str) -> str:
    """Where GitHub Pages shows the repository at `url`, with `/` at its end; "" for the placeholder."""
    if PLACEHOLDER in url:
        return ""
    owner, name = url.rstrip("/").split("/")[-2:]
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{quote(name)}/"


def description(name: str) -> str:
    return textwrap.shorten(chapters.lead(name), LONGEST, placeholder=" …")


def tags(name: str, address: str) -> str:
    """The tags of the page `name` of a book at `address`, which is "" where it is not known."""
    title, text = chapters.title(name), description(name)
    said = {"og:title": title, "og:description": text, "og:site_name": NAME}
    said["og:type"] = "website" if name == "index" else "article"
    if address:
        said["og:url"] = f"{address}book/{name}.html"
        # A page without a picture of its own shows the index's.
        for picture in [*chapters.pictures(name), *chapters.pictures("index")][:1]:
            said["og:image"] = f"{address}_static/pictures/{picture.name}"
            said["twitter:card"] = "summary_large_image"
    lines = [f'<meta name="description" content="{escape(text)}"/>']
    lines += [f'<meta property="{escape(of)}" content="{escape(what)}"/>' for of, what in said.items()]
    return "\n".join(lines) + "\n"


def lost(address: str) -> str:
    """404.html. It is shown in place of a page at any depth, so its links begin at the book's own address."""
    links = [f'<li><a href="book/{n}.html">{escape(chapters.title(n))}</a></li>' for n in chapters.pages()]
    return LOST.format(icon=ICON, base=escape(address or "/"), name=NAME, pages="\n".join(links))


def sitemap(address: str) -> str:
    places = "".join(f"<url><loc>{escape(address)}book/{n}.html</loc></url>\n" for n in chapters.pages())
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    )
    return f"{head}\n{places}</urlset>\n"


def locate(app, config):
    config.html_baseurl = config.html_baseurl or pages_address(repository())
    if config.html_baseurl and not config.html_baseurl.endswith("/"):
        config.html_baseurl += "/"


def add(app, pagename, templatename, context, doctree):
    name = pagename.removeprefix("book/")
    if pagename != name and name in chapters.pages():
        context["metatags"] = context.get("metatags", "") + tags(name, app.config.html_baseurl)


def write(app, exception):
    if exception or app.builder.format != "html":
        return
    out, address = Path(app.outdir), app.config.html_baseurl
    files = {"404.html": lost(address)}
    first = f"{app.config.root_doc}.html"
    if first != "index.html":
        files["index.html"] = DOOR.format(icon=ICON, first=first, name=NAME)
    if address:
        files["sitemap.xml"] = sitemap(address)
        files["robots.txt"] = f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n"
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")


def setup(app):
    app.connect("config-inited", locate)
    app.connect("html-page-context", add)
    app.connect("build-finished", write, priority=900)  # last: index.html is the table of contents' too
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
