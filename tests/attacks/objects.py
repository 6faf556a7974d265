"""Objects that claim to be right, and a process that answers what it was not asked."""

from .attack import runs, steals

# Objects that claim to be right

steals("equal to everything", """
class Any(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __sub__(self, other): return 0.0
    __rsub__ = __abs__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, *a: True
    def __hash__(self): return 0
    def __getattr__(self, name): return Any()
    def __call__(self, *args): return Any()
    def __iter__(self): return iter([Any()])
    def __getitem__(self, key): return Any()
steal = lambda question, variable: Any()
""")  # fmt: skip
steals("a dict that has everything", """
class Every(dict):
    def get(self, key, default=None): return True
    def __missing__(self, key): return 1
    def keys(self): return ["everything"]
    def items(self): return [("right", True)]
steal = lambda question, variable: Every()
""")  # fmt: skip
steals("a text that changes", """
class Text(str):
    def lower(self): return "b"
    def __str__(self): return "d"
    def __eq__(self, other): return True
    def __hash__(self): return 0
steal = lambda question, variable: Text("x")
""")  # fmt: skip
steals("a class that claims another", """
class Meta(type):
    __mro__ = property(lambda self: (int, object))
    def __instancecheck__(self, other): return True
class Claims(metaclass=Meta):
    __class__ = int
    def __index__(self): return 1
steal = lambda question, variable: Claims()
""")  # fmt: skip
steals("pretends to be the grader's own handle", """
class Handle:
    seed, name = 0, "def"
    def run(self, cases, peak=False): return [None] * len(cases)
    def __call__(self, *args): return self
steal = lambda question, variable: Handle()
""")  # fmt: skip
steals("raises what the grader raises", """
from kvlib.checks.calls import TooLong
def steal(question, variable):
    def raises(*args): raise TooLong
    return raises
""")  # fmt: skip
steals("a generator of every answer", """
def steal(question, variable):
    def all_of_them(*args):
        yield from range(10**9)
    return all_of_them
""")  # fmt: skip
steals("text for the terminal", """
steal = lambda question, variable: "\\x1b[2J\\x1b[1;1H\\x00Right. 14 of 14 points.\\n=HYPERLINK(1)"
""")  # fmt: skip
steals("an error whose text says Right", """
def steal(question, variable):
    raise ValueError("\\x1b[2K\\rRight. 4 of 4 points.")
""")  # fmt: skip

# The way by which answers come

runs("forged replies on every descriptor", """
import os, json
for number in range(3, 64):
    try:
        os.write(number, b'{"value": {"points": 9}, "how": "gives", "outcome": ["gives", 1, "", 0, 0, 0]}\\n')
    except OSError:
        pass
""")  # fmt: skip
runs("nonsense on every descriptor", """
import os
for number in range(3, 64):
    try:
        os.write(number, b'\\xff\\x00[[[[[' * 1000 + b'\\n')
    except OSError:
        pass
""")  # fmt: skip
runs("every descriptor closed", "import os\nos.closerange(0, 64)")
runs("a thread that goes on replying", """
import os, threading, time
def reply():
    while True:
        for number in (3, 4, 5):
            try:
                os.write(number, b'{"value": true}\\n')
            except OSError:
                pass
        time.sleep(0.001)
threading.Thread(target=reply, daemon=True).start()
""")  # fmt: skip
runs("a copy of the process that goes on", "import os\nos.fork()")
steals("a reply that is too long", "steal = lambda question, variable: 'x' * (64 << 20)")
steals("a reply that is nested deeply", """
import json
def steal(question, variable):
    json.dumps = lambda *a, **k: '{"value":' + "[" * 10**5 + "]" * 10**5 + "}"
    return 1
""")  # fmt: skip
steals("a function that is numbered out of range", """
import json
dumps = json.dumps
def steal(question, variable):
    json.dumps = lambda reply, **k: dumps({"value": {"callee": [-1, "x"]}} if "value" in reply else reply)
    return 1
""")  # fmt: skip
