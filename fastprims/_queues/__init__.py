"""The queues of threads: SimpleQueue, what is under Queue and its like, the rings, the channel."""
