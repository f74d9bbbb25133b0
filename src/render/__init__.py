"""Films of played episodes: pictures and text of any trained team on its game."""
