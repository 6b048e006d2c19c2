"""Diffusion Policy (Chi et al., arXiv 2303.04137): a U-Net or a transformer that denoises action chunks."""
