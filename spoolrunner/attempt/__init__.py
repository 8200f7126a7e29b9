"""The program of a job's process. Each import here is paid by every job."""
