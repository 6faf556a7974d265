"""What the pages run on: Pyodide from npm, and the part of kvlib that needs nothing else, put into the book.

fetch    Pyodide, as package-lock.json pins it, from npm into .venv, once
archive  kvlib's part, as one zip
place    both into a built book, and their list
link     the scripts into the pages that ask for them

`python -m tools.runtime` fetches; `make book` calls it. With RUNTIME=no in the environment nothing is fetched
and nothing put in, and where nothing can be fetched the book is built without it.
"""
