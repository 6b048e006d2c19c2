"""Experts of quadrupeds: a gait generator, skills trained with PPO, and the navigation that switches them."""
