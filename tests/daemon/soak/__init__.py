"""An hour of everything at once: the load, the person, the kills, the books that are kept, and the gauges."""
