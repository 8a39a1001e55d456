#!/usr/bin/env python3
"""Packs the stand-in as Grafana's release is packed, and prints the tarball's sha256 and path.

    pack.py --out DIR [--version 9.4.0] [--arch amd64] [--with-python]

Same input, same bytes: the checksum may be pinned. With `--with-python` this computer's interpreter and the libraries that it
needs travel along (about 15 MB), so that a machine without Python runs it.
"""

import argparse
import gzip
import hashlib
import importlib.util
import io
import pathlib
import re
import subprocess
import sys
import sysconfig
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
# Parts of the standard library that a server does not load.
LEFT_OUT = {
    "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "distutils", "site-packages", "dist-packages",
    "__pycache__", "pydoc_data", "unittest", "config",
}


def own_files():
    """Path in the tarball and path here of everything that makes the stand-in."""
    for program in sorted((HERE / "bin").iterdir()):
        yield f"bin/{program.name}", program
    yield "conf/defaults.ini", HERE / "conf" / "defaults.ini"
    for module in sorted((HERE / "lib" / "grafana_double").glob("*.py")):
        yield f"lib/grafana_double/{module.name}", module


def shared_libraries(program):
    """What the loader brings in for a program, less the C library, which the machine has."""
    lines = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    found = (re.search(r"=> (/\S+)", line) for line in lines.splitlines())
    return {pathlib.Path(match[1]) for match in found if match and not re.search(r"/(libc|libm|libpthread|libdl|librt|libutil)\.so", match[1])}


def runtime_files():
    """The interpreter, its standard library, its extension modules and their libraries."""
    interpreter = pathlib.Path(sys.executable).resolve()
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    yield "runtime/bin/python3", interpreter
    needed = shared_libraries(interpreter)
    for path in sorted(library.rglob("*")):
        inside = path.relative_to(library)
        if path.is_file() and path.suffix in (".py", ".so") and not LEFT_OUT & set(inside.parts) and "config-" not in str(inside):
            yield f"runtime/lib/{version}/{inside}", path
    for name in ("_sqlite3", "_ssl", "_hashlib", "zlib"):
        found = importlib.util.find_spec(name)
        if found and found.origin and found.origin.endswith(".so"):
            needed |= shared_libraries(found.origin)
    for one in sorted(needed):
        yield f"runtime/lib/{one.name}", one


def pack(out, version, arch, with_python):
    """Writes the tarball; returns its path and its sha256."""
    top = f"grafana-v{version}"
    files = [(name, path.read_bytes(), path.stat().st_mode & 0o111) for name, path in own_files()]
    files.append(("VERSION", f"{version}\n".encode(), 0))
    if with_python:
        files += [(name, path.read_bytes(), path.stat().st_mode & 0o111) for name, path in runtime_files()]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content, executable in sorted(files):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(content), 0o755 if executable else 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed = gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)
    path = pathlib.Path(out) / f"grafana-{version}.linux-{arch}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    return path, hashlib.sha256(packed).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--version", default="9.4.0")
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--with-python", action="store_true")
    options = parser.parse_args()
    path, digest = pack(options.out, options.version, options.arch, options.with_python)
    print(f"{digest}  {path}")


if __name__ == "__main__":
    main()
