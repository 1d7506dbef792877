"""Hosts apart: origin, edges, Valkey and players, each with a network stack of its own."""
