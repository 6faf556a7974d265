#!/bin/sh
# A Chromium for the tests: the system's; else Debian's, where it may be installed; else Playwright's own.
set -u

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then exit 0; fi
done

root=""
[ "$(id -u)" = 0 ] || root="sudo -n"
if command -v apt-get >/dev/null && $root true 2>/dev/null; then
    echo "Installing Debian's chromium for the tests"
    $root apt-get update -qq
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null &&
        chromium --version && exit 0
fi

echo "Installing Playwright's Chromium for the tests"
.venv/bin/python -m playwright install chromium && exit 0

echo "No browser: the tests need Chromium. Install one (apt install chromium), then run make test again." >&2
exit 1
