"""What code does that was meant well."""

from .accident import in_function, in_value, own_cell, value

in_value("exit() after an answer", after="exit()")
in_value("quit() and sys.exit()", after="import sys\ntry:\n    quit()\nfinally:\n    sys.exit(3)")
in_value("an error after an answer", after="1 / 0")
in_value("output of a million lines", after="for i in range(10**5): print(i, end=' ')")
in_value("a picture", before="import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n")
in_value(
    "magics and shell lines", before="%matplotlib inline\n!pip install numpy\n?print\n", after="%time 1 + 1"
)
in_value("a cell that is timed", before="%%time\n")
in_value("a comment in every script", after="# ½ π 字 \N{PILE OF POO}")
in_value("a typing mistake", before="= ", loses=value, says="SyntaxError")
in_value("a name that is not there", before="undefined_name\n", loses=value, says="undefined_name")
in_value("an error that is caught too widely", after="try:\n    1 / 0\nexcept:\n    pass")
in_value(
    "a loop without end on one line", after="while True: pass", loses=value, says="did not end", hangs=True
)
in_value("a loop without end in C", after="sum(iter(int, 1))", loses=value, says="did not end", hangs=True)
in_value("os._exit()", after="import os\nos._exit(0)", loses=value, says="ended Python itself")
in_value(
    "a crash of Python",
    after="import ctypes\nctypes.string_at(1)",
    loses=value,
    says="crashed Python (SIGSEGV)",
)
in_value(
    "too much memory", after="x = []\nwhile True: x.append(bytearray(1 << 28))", loses=value, says="memory"
)
in_value("kvlib deleted", after="del kvlib\nimport sys\nsys.modules.pop('kvlib')")
in_value("kvlib.check called with its value used", after="assert kvlib.check('x', 1) + 1 == 1")
in_value("input() asked for", before="input('your name? ')\n", loses=value, says="EOFError")
in_function("a function that prints", lambda name: f"def {name}(*a):\n    print(42)", says="It prints")
in_function("a function that never ends", lambda name: f"def {name}(*a):\n    while True: pass",
            says="end within", hangs=True)  # fmt: skip
in_function("a function that never ends in C", lambda name: f"def {name}(*a):\n    return sum(iter(int, 1))",
            says="did not end within", hangs=True)  # fmt: skip
in_function("a function that calls itself for ever", lambda name: f"def {name}(*a):\n    return {name}(*a)",
            says="RecursionError")  # fmt: skip
in_function("a function that ends Python", lambda name: f"def {name}(*a):\n    import os\n    os._exit(1)",
            says="ended Python itself")  # fmt: skip
in_function("a function that exits", lambda name: f"def {name}(*a):\n    raise SystemExit", says="SystemExit")
in_function(
    "a function by another name", lambda name: f"def my_{name}(*a):\n    return 1", says="gives no value to"
)
own_cell("a scratch cell that fails", "undefined_name + 1")
own_cell("a scratch cell that never ends", "while True:\n    pass", hangs=True)
own_cell("a scratch cell that ends Python", "import os\nos._exit(1)")
own_cell("a scratch cell in another language", "%%bash\nwhile true; do echo y; done")
own_cell(
    "a scratch cell with a line of shell in a loop", "for i in range(2):\n    !echo {i}\n    %timeit -n1 i"
)
own_cell("a scratch cell that waits", "input()")
own_cell("exit() at the end", "exit()", last=True)
own_cell("names used again at the end", "two = steps = blocks = slot = None", last=True)
own_cell("a star import", "from kvlib import *\nfrom math import *")
own_cell("await at the top", "import asyncio\nawait asyncio.sleep(0)")
