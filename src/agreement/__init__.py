"""Policy agreement: the key, the pool of joint actions, and what the students learn from."""
