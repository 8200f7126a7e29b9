"""What lies in a spool, and every move in it: paths, folders, locks, records, settling."""
