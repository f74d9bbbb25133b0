"""Conventions: whole decentralised joint policies, one of which a team agrees on for an episode."""
