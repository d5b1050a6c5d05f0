"""The extension modules, and how they are compiled; everything else is in pyproject.toml.

Environment:

FASTPRIMS_CACHELINE   bytes between words that different threads write (csrc/base/fp_config.h)
FASTPRIMS_ATOMICS     1: real atomics, even in an interpreter with a GIL
FASTPRIMS_SANITIZE    "thread" or "address,undefined": build with these sanitizers
FASTPRIMS_HOME        address of the repository, for the project URLs in the metadata
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, PlatformError

# csrc/ is compiled once for each of these, into a static library; a module links what it uses.
# Under a GIL the threads of one interpreter take turns, so their structures need no atomics. Other
# processes and C threads know no GIL: structures that they share always use atomics.
THREADS, PROCESSES = "threads", "processes"
CORE = {
    THREADS: ["base", "wait", "reclaim", "atomics", "limits", "queues", "maps"],
    PROCESSES: ["base", "wait", "reclaim", "limits", "queues", "shm", "capi"],
}
MODULES = {
    "_common/interpreter.c": THREADS,
    "_common/ext.pyx": THREADS,
    "_atomics/ext.pyx": THREADS,
    "_limits/ext.pyx": THREADS,
    "_queues/ext.pyx": THREADS,
    "_maps/ext.pyx": THREADS,
    "_aio/ext.pyx": THREADS,
}
if sys.platform == "linux":
    MODULES |= {"_shm/ext.pyx": PROCESSES, "_shm/objects.pyx": PROCESSES}

# For C programs, the functions of fastprims.h: a static library for any interpreter. For
# fastprims.raw, a cffi module over it, if cffi is there when fastprims is built.
RAW_MODULE = "fastprims._raw.ext"
RAW_HEADER = Path("csrc", "capi", "fastprims.h")
RAW_CALLS = Path("_raw", "calls.h")
RAW_FILES = [
    "base/*.c",
    "wait/*.c",
    "queues/fp_mpmc*.c",
    "queues/fp_queue.c",
    "queues/fp_spsc.c",
    "queues/fp_spsc_bytes.c",
    "capi/*.c",
]

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


def project_urls() -> dict[str, str]:
    """The release's workflow names the repository that it runs in; other builds name none."""
    home = os.environ.get("FASTPRIMS_HOME", "").rstrip("/")
    pages = {
        "Source": "",
        "Documentation": "/tree/HEAD/docs",
        "Changelog": "/blob/HEAD/CHANGELOG.md",
        "Issues": "/issues",
        "Security": "/security/policy",
    }
    return {name: home + page for name, page in pages.items()} if home else {}


def definitions(flavour: str) -> list[tuple[str, str | None]]:
    """The -D options of this flavour, interpreter and environment."""
    gil = not sysconfig.get_config_var("Py_GIL_DISABLED")
    plain = gil and os.environ.get("FASTPRIMS_ATOMICS", "0") in ("", "0") and flavour == THREADS
    result: list[tuple[str, str | None]] = [("FP_PLAIN", str(int(plain)))]
    if flavour == THREADS:  # light fences gain nothing between Python threads; see queues/DESIGN.md
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
    compile_args.append(f"-fdebug-prefix-map={os.getcwd()}=.")  # equal bytes wherever it is built
    link_args = []
    if sysconfig.get_platform().endswith(("x86_64", "amd64")):
        compile_args.append("-mcx16")  # every x86-64 since 2006 has the 16-byte compare-and-swap
    if sanitizers:
        link_args = [f"-fsanitize={sanitizers}"]
        compile_args += [*link_args, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
        compile_args += ["-O1", "-g"]
    return compile_args, link_args, []


def check_toolchain(compiler: Any, compile_args: list[str]) -> None:
    """Stop with one sentence if the compiler would answer with a page of errors."""
    name = compiler.compiler_type
    if compiler.compiler_type != "msvc":  # MSVC reports its own absence, and well
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


def declarations(header: Path) -> str:
    """The declarations of a header, for cffi."""
    text = header.read_text(encoding="utf-8")
    _, _, rest = text.partition("/* cffi reads from here on. */")
    found, mark, _ = rest.partition("/* cffi reads up to here. */")
    if not mark:
        raise SystemExit(f"fastprims: {header} lacks the marks for cffi")
    return found.replace("FASTPRIMS_EXPORT ", "").replace("static ", "")


def write_raw_module(target: Path) -> None:
    """The cffi module's source. The declarations come from the headers, and are only there."""
    from cffi import FFI

    ffi = FFI()
    for header in (RAW_HEADER, "fastprims" / RAW_CALLS):
        ffi.cdef(declarations(header))
    ffi.set_source(RAW_MODULE, f'#include "{RAW_CALLS.as_posix()}"')
    target.parent.mkdir(parents=True, exist_ok=True)
    ffi.emit_c_code(str(target))


class BuildExtensions(build_ext):
    def finalize_options(self) -> None:
        super().finalize_options()
        self.force = True  # an object file does not tell the options with which it was compiled
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        compile_args, link_args, libraries = options(self.compiler.compiler_type)
        check_toolchain(self.compiler, compile_args)
        objects = {flavour: self.compile_core(flavour, compile_args) for flavour in CORE}
        archives = {name: self.archive(f"core-{name}", found) for name, found in objects.items()}
        self.make_library(objects[PROCESSES])
        for extension in self.extensions:
            if extension.name == RAW_MODULE:
                source = Path(self.build_temp, "raw.c")
                write_raw_module(source)
                extension.sources = [str(source)]
        self.translate()
        for extension in self.extensions:
            extension.define_macros = definitions(FLAVOURS[extension.name])
            extension.extra_objects = [archives[FLAVOURS[extension.name]]]
            extension.extra_compile_args = compile_args
            extension.extra_link_args = link_args
            extension.libraries = libraries
        super().build_extensions()

    def translate(self) -> None:
        """Translates Cython to C."""
        from Cython.Build import cythonize

        # On other platforms the child processes would run this file again.
        processes = self.parallel if sys.platform == "linux" else 0
        translated = cythonize(
            self.extensions, build_dir=self.build_temp, force=True, nthreads=processes
        )
        for extension, result in zip(self.extensions, translated, strict=True):
            extension.sources = result.sources

    def compile_core(self, flavour: str, compile_args: list[str]) -> dict[str, str]:
        """The object file of each source file."""

        def compiled(source: str) -> str:
            (found,) = self.compiler.compile(
                [source],
                output_dir=os.path.join(self.build_temp, f"core-{flavour}"),
                macros=definitions(flavour),
                include_dirs=["csrc"],
                extra_postargs=compile_args,
            )
            return str(found)

        sources = [file for wing in CORE[flavour] for file in sorted(glob(f"csrc/{wing}/*.c"))]
        with ThreadPoolExecutor(self.parallel) as pool:
            return dict(zip(sources, pool.map(compiled, sources), strict=True))

    def archive(self, name: str, objects: dict[str, str], folder: str = "") -> str:
        folder = folder or self.build_temp
        library = os.path.join(folder, self.compiler.library_filename(name))
        Path(library).unlink(missing_ok=True)  # `ar` would keep its old members
        self.compiler.create_static_lib([*objects.values()], name, output_dir=folder)
        return library

    def make_library(self, objects: dict[str, str]) -> None:
        """libfastprims.a and its header, beside the modules."""
        header, library = self.library_files(Path(self.build_lib))
        header.parent.mkdir(parents=True, exist_ok=True)
        self.copy_file(str(RAW_HEADER), str(header))
        files = {file for pattern in RAW_FILES for file in glob(f"csrc/{pattern}")}
        chosen = {source: found for source, found in objects.items() if source in files}
        self.archive("fastprims", chosen, str(library.parent))

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


class WheelWithBillOfMaterials(bdist_wheel):
    """Adds the list of what is in the wheel, for programs that look for vulnerable parts (PEP 770).

    All of it is compiled from the sources of this package. auditwheel adds a list of its own if it
    copies a library of the system into the wheel.
    """

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        super().egg2dist(egginfo_path, distinfo_path)
        meta = self.distribution.metadata
        component = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{meta.get_name()}@{meta.get_version()}",
            "name": meta.get_name(),
            "version": meta.get_version(),
            "description": meta.get_description(),
            "licenses": [{"license": {"id": "MIT"}}],
            "purl": f"pkg:pypi/{meta.get_name()}@{meta.get_version()}",
        }
        bill = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": component},
            "components": [],
            "dependencies": [{"ref": component["bom-ref"], "dependsOn": []}],
        }
        file = Path(distinfo_path, "sboms", f"{meta.get_name()}.cdx.json")
        file.parent.mkdir()
        file.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")


def extension(name: str, source: str) -> Extension:
    return Extension(name, [source], include_dirs=["csrc", "fastprims"])


FLAVOURS: dict[str, str] = {}
modules = []
for source, flavour in MODULES.items():
    name = "fastprims." + source.partition(".")[0].replace("/", ".")
    modules.append(extension(name, f"fastprims/{source}"))
    FLAVOURS[name] = flavour
if has_cffi():
    modules.append(extension(RAW_MODULE, ""))  # the build makes its source
    FLAVOURS[RAW_MODULE] = PROCESSES

setup(
    ext_modules=modules,
    cmdclass={"build_ext": BuildExtensions, "bdist_wheel": WheelWithBillOfMaterials},
    project_urls=project_urls(),
)
