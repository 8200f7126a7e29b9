"""Documents, configurations and files of strangers: made by grammar, by mutation, and changed while they are looked at."""
