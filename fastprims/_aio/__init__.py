"""The ends of queues for event loops."""
