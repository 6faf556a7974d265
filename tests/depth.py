"""How deep the tests go: KVLIB_ORACLE=full tries all of what takes minutes, and of which a part is tried else."""

import os

FULL = os.environ.get("KVLIB_ORACLE") == "full"
