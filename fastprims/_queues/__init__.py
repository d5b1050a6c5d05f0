"""The queues for threads: SimpleQueue, the base of the drop-in classes, the rings, the channel."""
