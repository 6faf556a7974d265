"""A request a line on stdin, an answer a line on stdout.

The first line is the settings, and the first answer says that this process is ready, or what failed. What
answers print goes nowhere, however much it is; what they send must be JSON and is read as plain values.
"""

import json
import os
import sys

from . import sandbox
from .answers import Answers


def main():
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)

    def say(answer):
        replies.write(json.dumps(answer).encode() + b"\n")
        replies.flush()

    settings = json.loads(requests.readline())
    sys.path += settings["path"]
    sys.argv[:] = ["notebook"]
    try:
        sandbox.shut_in(settings)
    except OSError as error:
        say({"failed": error.strerror or str(error)})
        return
    answers = Answers()
    say({"ready": settings["way"]})
    while line := requests.readline():
        say(answers.answer(json.loads(line)))
    os._exit(0)  # without waiting for threads that an answer has left behind


if __name__ == "__main__":
    main()
