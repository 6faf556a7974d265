"""How deep the tests go: KVLIB_ORACLE=full tries all of what takes minutes; else a part of it is tried."""

import os

FULL = os.environ.get("KVLIB_ORACLE") == "full"
