"""A model of the reader's own: what its config.json, or the header of its GGUF file, says of its cache."""

import contextlib
import io
from argparse import ArgumentTypeError, Namespace
from base64 import b64decode
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .. import cli
from ..cli.options import count, layout_and_dtype, plural, source_len
from ..configs import checkpoint, parameters
from ..configs.gguf import HeaderEnds, is_gguf, weights_bytes
from ..engines import ENGINES, engine
from ..layouts import CacheLayout
from ..units import DType, fmt
from ..widgets.budget_settings import facts
from ..widgets.groups import strip

MOST_CONTEXTS = 6
USUAL = "8192 32768 131072"


def config(given: dict) -> dict:
    """The bytes, the layers and the budget of a model.

    given    "text": what stands in a config.json; or "data": a file in base64, and "size": its bytes, of
             which "data" may be the first. "file": its name, config.json where left out. As the command
             line takes them, and left out or "" where it is not told: "contexts" (--context, several with
             blanks between), "dtype", "source_len", and "gpu", for which `kvlib fit` then answers
    returns  "name", "said" (the result in a sentence), "contexts", "engines" (each {"engine", "stored",
             "per_token", "sizes"}, sizes in words and in bytes), "weights" (a sentence), "strip" and "budget"
             (for the figures' events), "fit" (the command's text). What kvlib refuses is {"refused": why}

    Raises ValueError, word for word as `kvlib size` says it, for a file that it refuses.
    """
    contexts = [_count("--context", text) for text in _words(given.get("contexts") or USUAL)]
    with _file(given) as path:
        try:
            return _read(path, given, contexts)
        except HeaderEnds as error:
            held, size = path.stat().st_size, given.get("size", 0)
            if held < size:
                raise ValueError(_cut(path.name, held)) from error
            raise


def _read(path: Path, given: dict, contexts: list[int]) -> dict:
    asked = given.get("source_len")
    args = Namespace(
        model=path,
        dtype=given.get("dtype") or None,
        source_len=_count("--source-len", asked) if asked else None,
        engine=None,
        kv_cache_dtype=None,
        cache_type_k=None,
        cache_type_v=None,
    )
    layout, dtype = layout_and_dtype(args)
    source = source_len(args, layout)
    for context in contexts:
        layout.checked(context, 1, dtype, source)
    engines = [_kept_by(name, layout, contexts, dtype, source) for name in ENGINES]
    size = given.get("size") if is_gguf(path) else None
    return {
        "name": layout.name,
        "said": _said(layout, contexts[0], dtype, source),
        "contexts": [f"{context:,}" for context in contexts],
        "engines": engines,
        "weights": _or_refused(lambda: _weights(path, size)),
        "strip": _or_refused(lambda: strip(layout)),
        "budget": _or_refused(lambda: _budget(path, layout)),
        "fit": _or_refused(lambda: _fit(path, size, given, contexts[0])) if given.get("gpu") else None,
    }


def _or_refused(asked):
    """What `asked()` returns, or {"refused": why}."""
    try:
        return asked()
    except ValueError as error:
        return {"refused": str(error)}


def _words(text: str) -> list[str]:
    words = [word.strip(",;") for word in text.split()]
    words = [word for word in words if word]
    if not 0 < len(words) <= MOST_CONTEXTS:
        raise ValueError(f"--context: name 1 to {MOST_CONTEXTS} contexts, with blanks between")
    return words


def _count(option: str, text: str) -> int:
    try:
        return count(text)
    except ArgumentTypeError as error:
        raise ValueError(f"{option}: {error}") from None


@contextmanager
def _file(given: dict) -> Iterator[Path]:
    """The reader's file, alone in the working directory, so that what names it names it as they do."""
    name = Path(str(given.get("file") or "config.json").replace("\\", "/")).name.lstrip("-.")[-60:]
    text = given.get("text")
    # A half of a surrogate pair is no text; reading it says so.
    data = text.encode("utf-8", "surrogatepass") if text is not None else b64decode(given["data"])
    with TemporaryDirectory() as folder, chdir(folder):
        path = Path(name or "config.json")
        path.write_bytes(data)
        if not is_gguf(path) and len(data) < given.get("size", 0):
            raise ValueError(_cut(path.name, len(data)))
        yield path


def _cut(name: str, held: int) -> str:
    return f"config: only the first {fmt(held)} of {name} were read in this page; use `kvlib size {name}`"


def _size(nbytes: int) -> list[str]:
    """In words and in bytes; as text, for a page's numbers end at 2**53."""
    return [fmt(nbytes), f"{nbytes:,}"]


def _kept_by(name: str, layout: CacheLayout, contexts: list[int], dtype: DType, source: int | None) -> dict:
    """What an engine takes of one sequence, with the options that it starts with."""
    kept_by = engine(name)
    try:
        sizes = [kept_by.bytes(layout, context, 1, dtype, source) for context in contexts]
        per_token = kept_by.bytes_per_token(layout, dtype)
    except ValueError as error:
        return {"engine": name, "refused": str(error)}
    stored = kept_by.stored_as(dtype)
    return {"engine": name, "stored": stored, "per_token": _size(per_token), "sizes": [*map(_size, sizes)]}


def _said(layout: CacheLayout, context: int, dtype: DType, source: int | None) -> str:
    per_token, at = layout.bytes_per_token(dtype), layout.bytes(context, 1, dtype, source)
    kept = f"{fmt(per_token)} a token in {dtype.name}, {fmt(at)} at {plural(context, 'token')}"
    return f"{layout.name}: {plural(layout.n_layers, 'layer')} of {layout.architecture}, {kept}."


def _of_file(path: Path, size: int | None) -> int | None:
    """Bytes of the weights that a GGUF file has; None for another file."""
    if not is_gguf(path):
        return None
    if (nbytes := weights_bytes(path, size)) is None:
        raise ValueError(f"{path.name} is one part of several; it does not say the size of all")
    return nbytes


def _weights(path: Path, size: int | None) -> str:
    of_file = _of_file(path, size)
    made = checkpoint(path, None, of_file)
    numbers = f"{made.parameters.total:,} parameters" if made.parameters else "parameters not counted"
    said = f"{fmt(made.bytes)}, {numbers}"
    said += " as the file has them" if of_file is not None else f" in {made.quantized or 'bf16'}"
    return said + "".join(f", without {name}" for name in made.left_out)


def _budget(path: Path, layout: CacheLayout) -> dict:
    counted = parameters(path)
    return facts(layout, counted.total, counted.read)


def _fit(path: Path, size: int | None, given: dict, context: int) -> str:
    """What `kvlib fit` prints. Only the beginning of a GGUF file is here, so its weights' size is told."""
    options = {"--gpu": given["gpu"], "--context": context}
    options |= {"--dtype": given.get("dtype"), "--source-len": given.get("source_len")}
    if (of_file := _of_file(path, size)) is not None:
        options["--weights"] = f"{of_file}B"
    argv = ["fit", f"./{path}", *(f"{option}={value}" for option, value in options.items() if value)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(argv)
    if status:
        raise ValueError(err.getvalue().strip().removeprefix("kvlib: "))
    return out.getvalue()
