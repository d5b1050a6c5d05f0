from typing import Any

# What cffi makes of csrc/capi/fastprims.h: there is a module only where cffi was there at build time.
ffi: Any
lib: Any
