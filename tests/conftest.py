"""What every test shares: which tests need a browser, so that `make quick` can leave them out."""

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
