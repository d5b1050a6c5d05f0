"""The maps' cases."""
