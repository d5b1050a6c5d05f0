"""Which extension modules there are and how they are compiled; everything else is in pyproject.toml.

Environment:

FASTPRIMS_CACHELINE   bytes between words that different threads write (csrc/fp_config.h)
FASTPRIMS_ATOMICS     1: real atomics, even in an interpreter with a GIL
FASTPRIMS_SANITIZE    "thread" or "address,undefined": build with these sanitizers
"""

from __future__ import annotations

import copy
import importlib.util
import os
import re
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
COMMON = ["fp_event.c", "fp_fence.c", "fp_mem.c", "fp_park.c", "fp_queue.c", "fp_thread.c"]
COMMON += ["fp_wait.c"]
LINEAGE = ["fp_epoch.c", "fp_guard.c", "fp_lineage.c", "fp_lineage_sort.c"]
LINEAGE += ["fp_mem.c", "fp_park.c", "fp_thread.c"]
MODULES: dict[str, tuple[str, list[str]]] = {
    "fastprims._atomics": ("_atomics.pyx", [*COMMON, "fp_flag.c", "fp_ref.c"]),
    "fastprims._base": ("_base.pyx", COMMON),
    "fastprims._channel": (
        "_channel.pyx",
        [*COMMON, "fp_channel.c", "fp_epoch.c", "fp_gcra.c", "fp_glance.c"]
        + ["fp_lock.c", "fp_segq.c", "fp_segq_move.c"],
    ),
    "fastprims._hot": ("_hot.pyx", []),
    "fastprims._integer": ("_integer.pyx", []),
    "fastprims._limiter": ("_limiter.pyx", [*COMMON, "fp_gcra.c", "fp_glance.c", "fp_lock.c"]),
    "fastprims._merging": ("_merging.pyx", []),
    "fastprims._numbers": ("_numbers.pyx", ["fp_park.c"]),
    "fastprims._pool": ("_pool.pyx", [*COMMON, "fp_lock.c", "fp_pool.c", "fp_pool_table.c"]),
    "fastprims._queue": (
        "_queue.pyx",
        [*COMMON, "fp_epoch.c", "fp_heap.c", "fp_lock.c", "fp_ordered.c", "fp_segq.c"]
        + ["fp_segq_move.c"],
    ),
    "fastprims._ctrie": ("_ctrie.pyx", []),
    "fastprims._ctriebase": (
        "_ctriebase.pyx",
        [
            *("fp_ctrie_change.c", "fp_ctrie_find.c", "fp_ctrie_gcas.c", "fp_ctrie_node.c"),
            *("fp_ctrie_walk.c", *LINEAGE),
        ],
    ),
    "fastprims._topic": (
        "_topic.pyx",
        [
            *("fp_topic_change.c", "fp_topic_edit.c", "fp_topic_match.c", "fp_topic_node.c"),
            *("fp_topic_syntax.c", "fp_topic_table.c", *LINEAGE),
        ],
    ),
    "fastprims._rings": (
        "_rings.pyx",
        [*COMMON, "fp_mpmc.c", "fp_mpmc_claim.c", "fp_mpmc_helped.c", "fp_spsc.c"],
    ),
}
# Whose structures other processes or C threads use: real atomics, whatever the interpreter has.
ALWAYS_ATOMIC = {"fastprims._raw"}
if sys.platform == "linux":
    SHM: dict[str, list[str]] = {
        "_shm": [],
        "_shmcopy": [],
        "_shmsegment": [
            *("fp_bell.c", "fp_lane.c", "fp_mem.c", "fp_park.c", "fp_process.c", "fp_thread.c"),
            *("fp_shm_member.c", "fp_shm_read.c", "fp_shm_segment.c", "fp_shm_write.c"),
        ],
        "_shmspan": [],
        "_shmobjects": [],
    }
    for name, sources in SHM.items():
        MODULES[f"fastprims.{name}"] = (f"{name}.pyx", sources)
        ALWAYS_ATOMIC.add(f"fastprims.{name}")

# For C programs and for other languages: the face of fastprims.h. Its threads know no GIL, so it is
# always compiled with atomics. As a static library for any interpreter, and as a cffi module where
# cffi is there when fastprims is built.
RAW = [*COMMON, "fp_mpmc.c", "fp_mpmc_claim.c", "fp_mpmc_helped.c", "fp_spsc.c"]
RAW += ["fp_lane.c", "fp_raw.c", "fp_raw_bytes.c"]
RAW_MODULE = "fastprims._raw"
RAW_HEADER = Path("csrc", "fastprims.h")

# For _rawwords.py and _rawbytes.py, where a signal handler may run, and raise, after every call:
# what was taken stands in memory of the caller's, and a record is taken only if nobody did so
# meanwhile.
RAW_DECLARATIONS = """
struct word_box { uint64_t word; int taken; };
enum fastprims_status take_word(fastprims_ring *, struct word_box *, int64_t timeout_ns);

struct record_box { const void *where; size_t size; uint64_t ticket; int taken; };
enum fastprims_status look_at_record(fastprims_bytes *, struct record_box *, int64_t timeout_ns);
void take_record(fastprims_bytes *, struct record_box *);
"""
RAW_DEFINITIONS = """
static enum fastprims_status take_word(fastprims_ring *ring, struct word_box *box,
                                       int64_t timeout_ns) {
    enum fastprims_status status = fastprims_ring_get(ring, &box->word, timeout_ns);
    box->taken = status == FASTPRIMS_OK;
    return status;
}

static enum fastprims_status look_at_record(fastprims_bytes *ring, struct record_box *box,
                                            int64_t timeout_ns) {
    enum fastprims_status status =
        fastprims_bytes_peek(ring, &box->where, &box->size, timeout_ns);
    uint64_t puts;
    fastprims_bytes_count(ring, &puts, &box->ticket);
    return status;
}

static void take_record(fastprims_bytes *ring, struct record_box *box) {
    uint64_t puts, gets;
    fastprims_bytes_count(ring, &puts, &gets);
    box->taken = gets == box->ticket;
    if (box->taken)
        fastprims_bytes_take(ring);
}
"""

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


def definitions(module: str) -> list[tuple[str, str | None]]:
    """The -D options of this module, interpreter and environment."""
    gil = not sysconfig.get_config_var("Py_GIL_DISABLED")
    plain = gil and os.environ.get("FASTPRIMS_ATOMICS", "0") in ("", "0")
    plain = plain and module not in ALWAYS_ATOMIC
    result: list[tuple[str, str | None]] = [("FP_PLAIN", str(int(plain)))]
    if module not in ALWAYS_ATOMIC:  # between Python threads it gains nothing; see csrc/DESIGN.md
        result.append(("FP_LIGHT", "0"))
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


def has_cffi() -> bool:
    """cffi needs the GIL, or Python 3.14."""
    if sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < (3, 14):
        return False
    return importlib.util.find_spec("cffi") is not None


def write_raw_module(target: str) -> None:
    """The cffi module's source: declarations from the header, which is the only place for them."""
    from cffi import FFI

    text = RAW_HEADER.read_text(encoding="utf-8")
    _, _, rest = text.partition("/* cffi reads from here on. */")
    declarations, found, _ = rest.partition("/* cffi reads up to here. */")
    if not found:
        raise SystemExit(f"fastprims: {RAW_HEADER} lacks the marks for cffi")
    ffi = FFI()
    ffi.cdef(declarations.replace("FASTPRIMS_EXPORT ", ""))
    ffi.cdef(RAW_DECLARATIONS)
    structures = re.sub(r"^(enum|void).*\n", "", RAW_DECLARATIONS, flags=re.MULTILINE)
    ffi.set_source(RAW_MODULE, f'#include "{RAW_HEADER.name}"\n{structures}{RAW_DEFINITIONS}')
    ffi.emit_c_code(target)


class BuildExtensions(build_ext):
    def finalize_options(self) -> None:
        super().finalize_options()
        self.force = True  # an object file does not tell with which of the options it was made
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        compile_args, link_args, libraries = options(self.compiler.compiler_type)
        check_toolchain(self.compiler, compile_args)
        from Cython.Build import cythonize

        for extension in self.extensions:
            if extension.name == RAW_MODULE:
                source = Path(self.build_temp, "_raw.c")
                source.parent.mkdir(parents=True, exist_ok=True)
                write_raw_module(str(source))
                extension.sources = [str(source), *extension.sources]
        generated = cythonize(self.extensions, build_dir=self.build_temp, force=True)
        for extension, translated in zip(self.extensions, generated, strict=True):
            extension.sources = translated.sources
            extension.extra_compile_args = compile_args
            extension.extra_link_args = link_args
            extension.libraries = libraries
        super().build_extensions()
        self.build_library(compile_args)

    def build_library(self, compile_args: list[str]) -> None:
        """libfastprims.a and its header, beside the modules."""
        header, library = self.library_files(Path(self.build_lib))
        for file in (header, library):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)  # `ar` would keep what was in it
        self.copy_file(str(RAW_HEADER), str(header))
        objects = self.compiler.compile(
            [f"csrc/{source}" for source in RAW],
            output_dir=os.path.join(self.build_temp, "libfastprims"),
            macros=definitions(RAW_MODULE),
            extra_postargs=compile_args,
        )
        self.compiler.create_static_lib(objects, "fastprims", output_dir=str(library.parent))

    def library_files(self, folder: Path) -> tuple[Path, Path]:
        library = "fastprims.lib" if os.name == "nt" else "libfastprims.a"
        return (
            folder / "fastprims" / "include" / RAW_HEADER.name,
            folder / "fastprims" / "lib" / library,
        )

    def copy_extensions_to_source(self) -> None:
        super().copy_extensions_to_source()
        built, here = self.library_files(Path(self.build_lib)), self.library_files(Path())
        for file, place in zip(built, here, strict=True):
            place.parent.mkdir(exist_ok=True)
            self.copy_file(str(file), str(place))

    def get_outputs(self) -> list[str]:
        return [*super().get_outputs(), *map(str, self.library_files(Path(self.build_lib)))]

    def build_extension(self, ext: Extension) -> None:
        # The modules share C files and are compiled side by side: each one has its own objects.
        own = copy.copy(self)
        own.build_temp = os.path.join(self.build_temp, ext.name)
        super(BuildExtensions, own).build_extension(ext)


def extension(name: str, sources: list[str]) -> Extension:
    return Extension(
        name,
        sources,
        include_dirs=["csrc", "fastprims"],
        define_macros=definitions(name),
        depends=sorted([*glob("csrc/*.h"), *glob("fastprims/*.h"), *glob("fastprims/*.pxd")]),
    )


modules = [extension("fastprims._interpreter", ["fastprims/_interpreter.c"])]
modules += [
    extension(name, [f"fastprims/{pyx}", *(f"csrc/{source}" for source in sources)])
    for name, (pyx, sources) in MODULES.items()
]
if has_cffi():
    modules.append(extension(RAW_MODULE, [f"csrc/{source}" for source in RAW]))

setup(
    ext_modules=modules,
    cmdclass={"build_ext": BuildExtensions},
)
