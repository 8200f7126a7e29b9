"""config.json: its shape, its faults, the loaded result, and who else can write to what it names."""
