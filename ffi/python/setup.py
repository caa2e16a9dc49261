"""Builds the extension module and puts the C library beside it.

The library comes from the folder that THALWEG_PREFIX names (as `thalweg install-c --prefix` filled it), or is built from the
source tree that this folder lies in, which needs cargo.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from wheel.bdist_wheel import bdist_wheel

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SOURCES = ["module", "failure", "event", "engine", "given", "agent", "client", "store", "run", "reader", "waiter", "stream", "call", "sequence"]
#: From Python 3.10 on one wheel serves all later versions; 3.9 has no `am_send` in its stable ABI and gets its own.
STABLE = sys.version_info >= (3, 10)


def version():
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    return re.search(r'^\[workspace\.package\].*?^version = "([^"]+)"', manifest, re.M | re.S).group(1)


class BuildWithLibrary(build_ext):
    """Gets the C library first, then compiles against it."""

    def run(self):
        prefix = self.prefix()
        library = prefix / "lib" / "libthalweg.so.1"
        if not library.exists():
            sys.exit(f"{library} is not there; THALWEG_PREFIX names a folder that `thalweg install-c --prefix` filled")
        for extension in self.extensions:
            extension.include_dirs.append(str(prefix / "include"))
            # By its full name, so that no other file of that name is taken.
            extension.extra_link_args += [str(library), "-Wl,-rpath,$ORIGIN/lib"]
            extension.depends.append(str(library))
        super().run()
        target = Path(self.get_ext_fullpath("thalweg._native")).parent / "lib"
        target.mkdir(parents=True, exist_ok=True)
        copy = target / library.name
        # Removed first: a program that runs keeps the old one whole.
        copy.unlink(missing_ok=True)
        shutil.copyfile(library, copy)

    def prefix(self):
        named = os.environ.get("THALWEG_PREFIX")
        if named:
            return Path(named).resolve()
        if not (ROOT / "ffi" / "capi" / "Cargo.toml").exists():
            sys.exit("install from the source tree of thalweg (pip install ./ffi/python), or set THALWEG_PREFIX to a folder that `thalweg install-c --prefix` filled")
        cargo = shutil.which("cargo") or shutil.which("cargo", path=str(Path.home() / ".cargo" / "bin"))
        if cargo is None:
            sys.exit("cargo was not found; it builds the C library of thalweg. Get it from https://rustup.rs, or set THALWEG_PREFIX to a folder that `thalweg install-c --prefix` filled")
        prefix = Path(self.build_temp).resolve() / "prefix"
        command = [cargo, "run", "--release", "-p", "thalweg-cli", "--", "install-c", "--prefix", str(prefix)]
        if subprocess.run(command, cwd=ROOT).returncode != 0:
            sys.exit("cargo could not build the C library; it said why above (pip shows it with -v)")
        return prefix


class StableWheel(bdist_wheel):
    """Says that a wheel serves later versions of Python too."""

    def finalize_options(self):
        if STABLE:
            self.py_limited_api = "cp310"
        super().finalize_options()


setup(
    version=version(),
    ext_modules=[
        Extension(
            "thalweg._native",
            sources=[f"native/{name}.c" for name in SOURCES],
            depends=["native/native.h"],
            define_macros=[("Py_LIMITED_API", "0x030A0000")] if STABLE else [],
            extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
            py_limited_api=STABLE,
        )
    ],
    cmdclass={"build_ext": BuildWithLibrary, "bdist_wheel": StableWheel},
)
