HOT_METHODS: tuple[str, ...]
