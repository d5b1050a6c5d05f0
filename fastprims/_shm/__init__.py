"""ShmRing, and the segment of shared memory under it and under ShmQueue."""
