#!/usr/bin/env python3
"""Packs the stand-in as Grafana's release is packed, and prints the tarball's sha256 and path.

    pack.py --out DIR [--version 9.4.0] [--arch amd64]

Same input, same bytes: the checksum may be pinned. The machine that runs it needs python3.
"""

import argparse
import gzip
import hashlib
import io
import pathlib
import tarfile

HERE = pathlib.Path(__file__).resolve().parent


def own_files():
    """Path in the tarball and path here of everything that makes the stand-in."""
    for program in sorted((HERE / "bin").iterdir()):
        yield f"bin/{program.name}", program
    yield "conf/defaults.ini", HERE / "conf" / "defaults.ini"
    for module in sorted((HERE / "lib" / "grafana_double").glob("*.py")):
        yield f"lib/grafana_double/{module.name}", module


def pack(out, version, arch):
    """Writes the tarball; returns its path and its sha256."""
    top = f"grafana-v{version}"
    files = [(name, path.read_bytes(), path.stat().st_mode & 0o111) for name, path in own_files()]
    files.append(("VERSION", f"{version}\n".encode(), 0))
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
    options = parser.parse_args()
    path, digest = pack(options.out, options.version, options.arch)
    print(f"{digest}  {path}")


if __name__ == "__main__":
    main()
