"""Policies that leave the training code behind: one file per agent, and processes that play with them."""
