"""Which extension modules there are and how they are compiled; everything else is in pyproject.toml.

Environment:

FASTPRIMS_CACHELINE   bytes between words that different threads write (csrc/fp_config.h)
FASTPRIMS_ATOMICS     1: real atomics, even in an interpreter with a GIL
FASTPRIMS_SANITIZE    "thread" or "address,undefined": build with these sanitizers
"""

from __future__ import annotations

import copy
import os
import shutil
import sys
import sysconfig
import tempfile
from glob import glob
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, PlatformError

# Every module carries its own copy of the C files it uses; no two share a structure.
COMMON = ["fp_event.c", "fp_mem.c", "fp_park.c", "fp_queue.c", "fp_thread.c", "fp_wait.c"]
MODULES: dict[str, tuple[str, list[str]]] = {
    "fastprims._atomics": ("_atomics.pyx", [*COMMON, "fp_flag.c", "fp_ref.c"]),
    "fastprims._base": ("_base.pyx", COMMON),
    "fastprims._channel": (
        "_channel.pyx",
        [*COMMON, "fp_channel.c", "fp_epoch.c", "fp_gcra.c", "fp_glance.c"]
        + ["fp_lock.c", "fp_segq.c"],
    ),
    "fastprims._hot": ("_hot.pyx", []),
    "fastprims._integer": ("_integer.pyx", []),
    "fastprims._limiter": ("_limiter.pyx", [*COMMON, "fp_gcra.c", "fp_glance.c", "fp_lock.c"]),
    "fastprims._pool": ("_pool.pyx", [*COMMON, "fp_lock.c", "fp_pool.c", "fp_pool_table.c"]),
    "fastprims._queue": (
        "_queue.pyx",
        [*COMMON, "fp_epoch.c", "fp_heap.c", "fp_lock.c", "fp_ordered.c", "fp_segq.c"],
    ),
    "fastprims._ctrie": (
        "_ctrie.pyx",
        [
            *("fp_ctrie_change.c", "fp_ctrie_find.c", "fp_ctrie_gcas.c", "fp_ctrie_node.c"),
            *("fp_ctrie_walk.c", "fp_epoch.c", "fp_lineage.c", "fp_mem.c", "fp_thread.c"),
        ],
    ),
    "fastprims._rings": (
        "_rings.pyx",
        [*COMMON, "fp_mpmc.c", "fp_mpmc_claim.c", "fp_mpmc_helped.c", "fp_spsc.c"],
    ),
}

NO_COMPILER = (
    "fastprims: no C compiler found (looked for {compiler!r}). fastprims is compiled when it is "
    "installed; on Debian and Ubuntu: apt-get install build-essential python3-dev"
)
NO_C11 = (
    "fastprims: the C compiler {compiler!r} does not compile a C11 program with <stdatomic.h>. It "
    "takes gcc 7, clang 6 or Visual Studio 2022 17.5, or newer, and the C library's headers; on "
    "Debian and Ubuntu: apt-get install build-essential"
)
NO_HEADERS = (
    "fastprims: Python.h, the header of Python {version}, was not found in {folder}. On Debian and "
    "Ubuntu: apt-get install python3-dev (or python{version}-dev)"
)


def definitions() -> list[tuple[str, str | None]]:
    """The -D options of this interpreter and environment."""
    gil = not sysconfig.get_config_var("Py_GIL_DISABLED")
    plain = gil and os.environ.get("FASTPRIMS_ATOMICS", "0") in ("", "0")
    result: list[tuple[str, str | None]] = [("FP_PLAIN", str(int(plain)))]
    if cacheline := os.environ.get("FASTPRIMS_CACHELINE"):
        if not cacheline.isdecimal():
            raise SystemExit(f"fastprims: FASTPRIMS_CACHELINE={cacheline} is not a number of bytes")
        result.append(("FP_CACHELINE", cacheline))
    return result


def options(compiler_type: str) -> tuple[list[str], list[str], list[str]]:
    """Compiler options, linker options and libraries."""
    sanitizers = os.environ.get("FASTPRIMS_SANITIZE", "")
    if compiler_type == "msvc":
        if sanitizers:
            raise SystemExit("fastprims: FASTPRIMS_SANITIZE needs gcc or clang")
        return ["/std:c11", "/experimental:c11atomics", "/O2"], [], ["synchronization"]
    compile_args = ["-std=c11", "-O3", "-fvisibility=hidden", "-Wall", "-Wextra"]
    link_args = []
    if sysconfig.get_platform().endswith(("x86_64", "amd64")):
        compile_args.append("-mcx16")  # every x86-64 since 2006 has the 16-byte compare-and-swap
    if sanitizers:
        link_args = [f"-fsanitize={sanitizers}"]
        compile_args += [*link_args, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
        compile_args += ["-O1", "-g"]
    return compile_args, link_args, []


def check_toolchain(compiler: Any, compile_args: list[str]) -> None:
    """Stop with one sentence where the compiler would answer with a page of errors."""
    name = compiler.compiler_type
    if compiler.compiler_type != "msvc":  # which reports its own absence, and well
        name = compiler.compiler[0]
        if shutil.which(name) is None:
            raise SystemExit(NO_COMPILER.format(compiler=name))

    def compiles(*headers: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            lines = [f"#include <{header}>\n" for header in headers]
            source.write_text("".join(lines) + "int main(void) { return 0; }\n", encoding="ascii")
            try:
                compiler.compile([str(source)], output_dir=folder, extra_postargs=compile_args)
            except CCompilerError:
                return False
        return True

    try:
        if compiles("Python.h", "stdatomic.h"):
            return
        if not compiles("stdio.h", "stdatomic.h"):
            raise SystemExit(NO_C11.format(compiler=name))
    except PlatformError as error:
        raise SystemExit(f"fastprims: {error}") from None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise SystemExit(NO_HEADERS.format(version=version, folder=sysconfig.get_path("include")))


class BuildExtensions(build_ext):
    def finalize_options(self) -> None:
        super().finalize_options()
        self.force = True  # an object file does not tell with which of the options it was made
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        compile_args, link_args, libraries = options(self.compiler.compiler_type)
        check_toolchain(self.compiler, compile_args)
        from Cython.Build import cythonize

        generated = cythonize(self.extensions, build_dir=self.build_temp, force=True)
        for extension, translated in zip(self.extensions, generated, strict=True):
            extension.sources = translated.sources
            extension.extra_compile_args = compile_args
            extension.extra_link_args = link_args
            extension.libraries = libraries
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        # The modules share C files and are compiled side by side: each one has its own objects.
        own = copy.copy(self)
        own.build_temp = os.path.join(self.build_temp, ext.name)
        super(BuildExtensions, own).build_extension(ext)


setup(
    ext_modules=[
        Extension(
            name,
            [f"fastprims/{pyx}", *(f"csrc/{source}" for source in sources)],
            include_dirs=["csrc", "fastprims"],
            define_macros=definitions(),
            depends=sorted([*glob("csrc/*.h"), *glob("fastprims/*.h"), *glob("fastprims/*.pxd")]),
        )
        for name, (pyx, sources) in MODULES.items()
    ],
    cmdclass={"build_ext": BuildExtensions},
)
