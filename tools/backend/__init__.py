"""A folder of its own, because build tools put it first on the path."""
