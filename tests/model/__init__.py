"""An explicit-state model of the protocol: every order of steps, kills and people's acts within small bounds."""
