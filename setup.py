"""Puts copies of the records (kvlib.measure.records) and of the exercises (`kvlib grade`) into a wheel.

Everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
COPIES = {"book/measurements/*.json": "measure/records", "exercises/*.ipynb": "checks/grading/released"}


class BuildWithCopies(build_py):
    def run(self):
        super().run()
        if self.editable_mode:  # a checkout reads them where they lie
            return
        for files, folder in COPIES.items():
            target = Path(self.build_lib) / "kvlib" / folder
            target.mkdir(parents=True, exist_ok=True)
            for file in ROOT.glob(files):
                shutil.copy(file, target)


setup(cmdclass={"build_py": BuildWithCopies})
