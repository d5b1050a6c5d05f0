"""The parts of dev.py."""
