"""Starting processes of jobs, ending them, and knowing whether they live."""
