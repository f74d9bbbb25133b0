"""What a team is worth by recorded episodes that are counted."""
