"""Puts copies of the records, the recordings and the exercises into a wheel, where kvlib reads them.

Everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# kvlib.measure.records, kvlib.widgets.recorded and `kvlib grade` read them there.
COPIES = {
    "book/measurements/*.json": "measure/records",
    "book/recordings/*.json": "widgets/recordings",
    "exercises/*.ipynb": "checks/grading/released",
}


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
