"""Speed of evaluation and of decisions, and the machine that they were measured on."""
