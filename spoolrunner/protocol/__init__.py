"""The words and the rules of the protocol: states, documents, policies, verdicts. Touches no disk."""
