"""Packages that only some of kvlib uses, asked for when they are used."""

from importlib import import_module


def require(package: str, what: str, install: str = ""):
    """The module `package`; without it an ImportError that says what needs it and what to install.

    what     what cannot do without it, as a reader would say it: "kvlib measure"
    install  the command that installs it (default: pip install `package`)
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:
            raise  # the package is there, and lacks something itself
        needs = f"{what} needs {package}, which is not installed: {install or f'pip install {package}'}"
        raise ModuleNotFoundError(needs, name=package) from None
