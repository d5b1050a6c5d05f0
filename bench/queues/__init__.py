"""The queues' cases."""
