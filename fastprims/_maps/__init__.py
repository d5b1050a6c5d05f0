"""Ctrie and TopicTrie, and their snapshots."""
