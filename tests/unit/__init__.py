"""One file a module: what each of them promises, without a dispatcher and, where it can be had, without a process."""
