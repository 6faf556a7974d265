#!/bin/sh
# A Chromium for the tests: the system's, else Playwright's own, which asks for no root.
set -u

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then exit 0; fi
done

# Playwright's own may be there and yet not start, for want of the system's libraries.
starts() { .venv/bin/python -c '
from tests.browser import launch
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    launch(playwright).close()' >/dev/null 2>&1; }

starts && exit 0
echo "No Chromium on this machine: fetching Playwright's own"
.venv/bin/python -m playwright install chromium && starts && exit 0

cat >&2 <<'END'
No browser: the rest of the tests need Chromium. As root, one of these installs it:
    apt install chromium
    .venv/bin/python -m playwright install --with-deps chromium
Then run `make test` again. What needs no browser was tested above.
END
exit 1
