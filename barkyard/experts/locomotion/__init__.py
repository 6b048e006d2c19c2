"""Experts of quadrupeds: a gait generator, skills trained with PPO, and the actor that switches them."""
