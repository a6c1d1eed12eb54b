"""The model of Bayesian optimisation: a Gaussian process over graphs (NAS-BOWL: Ru et al., ICLR 2021,
arXiv:2006.07556; here with a sum of kernels, see `graph_kernels`)."""
