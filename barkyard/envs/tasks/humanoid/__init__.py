"""Tasks of dm_control's humanoid."""
