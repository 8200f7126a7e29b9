"""The programs that are put under load, and those that load them; each runs in a process of its own."""
