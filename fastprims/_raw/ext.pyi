from typing import Any

# cffi makes this module from csrc/capi/fastprims.h, if cffi is installed at build time.
ffi: Any
lib: Any
