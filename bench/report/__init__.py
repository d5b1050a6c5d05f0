"""What a run shows: tables, progress, the picture."""
