from typing import Any

from typing_extensions import Buffer

from fastprims._shmsegment import Segment

def put_tagged(
    ring: Segment, tag: int, items: list[Buffer], block: bool, timeout: float | None
) -> None: ...
def get_tagged(ring: Segment, block: bool, timeout: float | None) -> tuple[int, Any]: ...
