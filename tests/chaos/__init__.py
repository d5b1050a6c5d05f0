"""All against all: random calls of everything public, by threads, over random lifetimes."""
