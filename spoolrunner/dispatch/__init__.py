"""The dispatcher, along a job's journey: intake, order, admission, starting, running, ended."""
