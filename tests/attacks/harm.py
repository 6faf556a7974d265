"""What would harm the grader, its machine or others."""

from .attack import runs
from .lookups import FILES

runs("the process ended", "import os\nos._exit(0)")
runs("every process that it can reach ended", """
import os, signal
for pid in (os.getppid(), -1):
    try:
        if pid > 1:
            os.kill(pid, signal.SIGTERM if os.getppid() > 1 else 0)
    except OSError:
        pass
""", needs="processes")  # fmt: skip
runs("files of others deleted or written", FILES + """
import sqlite3
for path in files(".db"):
    try:
        sqlite3.connect(path).execute("update grade set manual_score = 35").connection.commit()
    except Exception:
        pass
for path in files("precious.ipynb"):
    try:
        os.remove(path)
    except OSError:
        pass
""", needs="files")  # fmt: skip
runs("a file for those who come after", """
import os, sys
for folder in [*sys.path, os.getcwd(), os.path.dirname(__import__("kvlib").__file__)]:
    for name in ("sitecustomize.py", "usercustomize.py", "kvlib.py", "cheat.pth"):
        try:
            open(os.path.join(folder, name), "w").write("import builtins; builtins.cheat = True")
        except OSError:
            pass
""", needs="files")  # fmt: skip
runs("a signal that no longer stops it", """
import signal
signal.signal(signal.SIGALRM, signal.SIG_IGN)
signal.setitimer(signal.ITIMER_REAL, 0)
while True: pass
""", hangs=True)  # fmt: skip
runs("whatever stops it caught", """
while True:
    try:
        while True: pass
    except BaseException:
        pass
""", hangs=True)  # fmt: skip
runs("a call into C that does not return", "import itertools\nsum(itertools.repeat(1))", hangs=True)
runs("memory without end", "taken = []\nwhile True: taken.append(bytearray(1 << 28))")
runs(
    "output without end",
    "import sys\nwhile True: print('Right. ' * 10**5); sys.stderr.write('x' * 10**5)",
    hangs=True,
)
runs("a file without end", """
try:
    with open("large", "wb") as file:
        for _ in range(10**6): file.write(b"x" * 10**6)
except OSError:
    pass
""")  # fmt: skip
runs("processes that outlive it", """
import os, time
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
""", needs="processes")  # fmt: skip
runs("the stack without end", """
import sys
sys.setrecursionlimit(10**7)
def down(): return down()
down()
""")  # fmt: skip
