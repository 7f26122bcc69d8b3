"""Decisions of downloads with many inputs."""
