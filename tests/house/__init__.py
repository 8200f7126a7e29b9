"""The order of the house: doors, floors, sizes, and the tables that the documents share with the code."""
