"""Composition: builds the objects of all rooms, starts them and stops them. The only room that knows everyone."""
