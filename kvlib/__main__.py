"""`python -m kvlib` is the `kvlib` command."""

import sys

from .cli import main

sys.exit(main())
