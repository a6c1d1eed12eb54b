"""Samplers: what proposes the next network of a study. One file here is one sampler, found by its `@sampler`."""
