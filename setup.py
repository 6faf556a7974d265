"""Puts copies of book/measurements/*.json into a wheel, where kvlib.measure.records reads them.

Everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RECORDS = Path(__file__).resolve().parent / "book" / "measurements"


class BuildWithRecords(build_py):
    def run(self):
        super().run()
        if self.editable_mode:  # a checkout reads them where they lie
            return
        target = Path(self.build_lib) / "kvlib" / "measure" / "records"
        target.mkdir(parents=True, exist_ok=True)
        for record in RECORDS.glob("*.json"):
            shutil.copy(record, target)


setup(cmdclass={"build_py": BuildWithRecords})
