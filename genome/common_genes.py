"""The legal values of genes that several node types have, and the part of them that a search tries."""

from __future__ import annotations

from genome.domain import Either, Float, Int, OneOf

NONE = "none"
SAME = "same"
PADDING = Either(OneOf(SAME), Int(0, 64))
NORM = OneOf("batch", "plain", "group")  # plain: batch norm without scale and shift, as in Caffe
NORM_SEARCH = OneOf("batch", "group")
EPS = Float(1e-9, 0.1)  # added to the variance by a norm
EPS_SEARCH = OneOf(1e-5)
RATE = Float(0.0, 0.95)  # the probability with which dropout and drop-path drop
RATE_SEARCH = OneOf(0.0, 0.15)
ACTIVATION = OneOf("relu", "relu6", "leaky-relu", "silu", "gelu", "sigmoid")
ACTIVATION_SEARCH = OneOf(*ACTIVATION.choices[:-1])
NORM_OR_NONE = OneOf(NONE, *NORM.choices)
NORM_OR_NONE_SEARCH = OneOf(NONE, *NORM_SEARCH.choices)
ACTIVATION_OR_NONE = OneOf(NONE, *ACTIVATION.choices)
ACTIVATION_OR_NONE_SEARCH = OneOf(NONE, *ACTIVATION_SEARCH.choices)
