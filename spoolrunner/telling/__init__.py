"""Everything that is told of what happens: events, log files, status.json."""
