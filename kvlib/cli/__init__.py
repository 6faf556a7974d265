"""The `kvlib` command.

    kvlib size llama-3.1-8b --context 8192
    kvlib fit config.json --gpu H100:2 --context 32k

A command is a module with `add_arguments(parser)` and `run(args)`, imported when it is asked for. Errors
are one line on stderr with status 2.
"""

import argparse
import os
import sys
import warnings
from importlib import import_module

from .. import __version__
from ..needs import require
from ..units import unknown

# name -> module, the package without which it cannot run, and what it does. The modules are named, not
# imported: those outside the core are none of its imports.
COMMANDS = {
    "size": ("kvlib.cli.size", None, "the bytes of a model's cache, step by step"),
    "fit": ("kvlib.cli.fit", None, "what fits on a GPU, and how fast it can decode at best"),
    "explain": ("kvlib.cli.explain", None, "what an engine's log said, computed again"),
    "grade": ("kvlib.checks.grading.command", None, "exercises, graded from outside"),
    "models": ("kvlib.cli.models", None, "the models that kvlib ships"),
    "progress": ("kvlib.checks.progress_report", None, "the exercises you have solved, and what comes next"),
    "course": ("kvlib.checks.classroom.command", "nbgrader", "a class, taught with nbgrader"),
    "measure": ("kvlib.measure", "torch", "a real cache on this machine, predicted beside measured"),
}


def main(argv=None) -> int:
    """Run a command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            args = _parse(argv)
            status = args.run(args)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has seen enough (`kvlib models | head`); leave nothing to flush at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except (ValueError, OSError, RecursionError, ModuleNotFoundError) as error:
            print(f"kvlib: {error}", file=sys.stderr)
            return 2
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"kvlib: warning: {message}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """A command's parser, which finds near matches for an unknown option."""

    def parse_known_args(self, args=None, namespace=None):
        known = self._option_string_actions
        nested = any(isinstance(action, argparse._SubParsersAction) for action in self._actions)
        for word in () if nested else args or ():  # a step of a command finds its own
            option = word.partition("=")[0]
            if option.startswith("--") and option not in (*known, "--"):
                raise unknown(f"option of {self.prog}:", option, [name for name in known if name[:2] == "--"])
        return super().parse_known_args(args, namespace)


def _parse(argv) -> argparse.Namespace:
    top = argparse.ArgumentParser(prog="kvlib", description="The KV cache of a language model, to the byte.")
    top.add_argument("--version", action="version", version=f"kvlib {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    parsers = {
        name: commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, (_, _, text) in COMMANDS.items()
    }
    if argv and argv[0] in COMMANDS:
        path, package, _ = COMMANDS[argv[0]]
        module = import_module(path)
        module.add_arguments(parsers[argv[0]])

        def run(args):
            if package:
                require(package, f"kvlib {argv[0]}")
            return module.run(args)

        parsers[argv[0]].set_defaults(run=run)
    elif argv and not argv[0].startswith("-"):
        raise unknown("command", argv[0], COMMANDS)
    return top.parse_args(argv)
