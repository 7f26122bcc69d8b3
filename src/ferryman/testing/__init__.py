"""Servers and fakes for tests, measurements, the demo and the first steps; the product imports nothing from here.

A *sample* upstream behaves well and has files to fetch; other servers here misbehave on purpose.
"""
