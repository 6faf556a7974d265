"""Puts copies of the book's records into a wheel, where kvlib reads them.

Everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BOOK = Path(__file__).resolve().parent / "book"
# Where in the book, and where in kvlib: kvlib.measure.records and kvlib.widgets.recorded read them.
COPIES = {"measurements": "measure/records", "recordings": "widgets/recordings"}


class BuildWithRecords(build_py):
    def run(self):
        super().run()
        if self.editable_mode:  # a checkout reads them where they lie
            return
        for source, place in COPIES.items():
            target = Path(self.build_lib) / "kvlib" / place
            target.mkdir(parents=True, exist_ok=True)
            for record in (BOOK / source).glob("*.json"):
                shutil.copy(record, target)


setup(cmdclass={"build_py": BuildWithRecords})
