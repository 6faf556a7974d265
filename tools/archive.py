"""`make archive`: the built book as one zip, which is the whole course without a network."""

import sys
import zipfile
from pathlib import Path

BUILT = Path(__file__).resolve().parent.parent / "_build"
NAME = "kv-cache-course"  # the zip's, and the folder's in it


def archive(book: Path, file: Path) -> None:
    """Zip the folder `book` into `file`; the same bytes for the same book."""
    with zipfile.ZipFile(file, "w") as packed:
        for path in sorted(p for p in book.rglob("*") if p.is_file()):
            name = zipfile.ZipInfo(f"{NAME}/{path.relative_to(book).as_posix()}")
            name.external_attr = 0o644 << 16
            packed.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def main() -> int:
    file = BUILT / f"{NAME}.zip"
    archive(BUILT / "html", file)
    print(f"{file} ({file.stat().st_size / 1e6:.1f} MB): unpack it and open {NAME}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
