"""The desk: what programs and commands ask of a spool. Values in, values out; prints nothing."""
