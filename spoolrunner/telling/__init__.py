"""Everything that is reported: events and their words, log files, status.json."""
