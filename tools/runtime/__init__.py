"""What the pages run on: Pyodide from npm, and the part of kvlib that needs nothing else, put into the book.

    python -m tools.runtime yes    fetch what package-lock.json pins, if it is not here
    python -m tools.runtime no     leave it out

`place` puts it beside run.js when the book is built. Names carry versions and hashes, so a browser that has a
file need never ask for it again.
"""
