"""The method: cases, threads, rounds, statistics; no case is here."""
