"""What the machine offers: time, durable files, processes. Knows nothing of jobs."""
