"""Rows: the features of networks as matrices with a row for each network, and the squared distances between rows."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from search.samplers.surrogate.wl import Occurrences

DENSE = 128  # columns of a dense matrix of counts; more, of which a network has a few, are stored sparse

Values: TypeAlias = np.ndarray | csr_matrix


class Rows(NamedTuple):
    """The features of one kind of n networks."""

    # (n, columns)
    values: Values
    # (n,), squared lengths
    norms: np.ndarray


def dense(values: np.ndarray) -> Rows:
    """Return features that are numbers. (n, columns)"""
    return Rows(values, np.einsum("ij,ij->i", values, values))


def counted(of: Occurrences, networks: int, kinds: np.ndarray) -> Rows:
    """Return how often each of these kinds, in order, occurs in each network.

    Counts are as square roots: the tenth of a kind counts less than the first (Hellinger's distance). A kind that is
    not among these has no column, but adds to the length.
    """
    norms = np.bincount(of.networks, minlength=networks).astype(float)
    columns = np.minimum(np.searchsorted(kinds, of.kinds), len(kinds) - 1)
    has_column = kinds[columns] == of.kinds
    rows, columns = of.networks[has_column], columns[has_column]
    shape = networks, len(kinds)
    if len(kinds) <= DENSE:
        counts = np.bincount(rows * len(kinds) + columns, minlength=networks * len(kinds))
        return Rows(np.sqrt(counts).reshape(shape), norms)
    return Rows(csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape).sqrt(), norms)


def turned(rows: Rows) -> Values:
    """Return the columns of rows as rows. (columns, n)"""
    return rows.values.T if isinstance(rows.values, np.ndarray) else rows.values.T.tocsr()


def distances(rows: Rows, columns: Values) -> np.ndarray:
    """Return the squared distances between n rows, of which these are the columns. (n, n)"""
    products = np.empty((len(rows.norms), len(rows.norms)))
    _product(rows.values, columns, products)
    return np.asarray(np.maximum(rows.norms[:, None] + rows.norms - 2.0 * products, 0.0))


def similarities(rows: Rows, columns: Values, norms: np.ndarray, usual: float, out: np.ndarray) -> None:
    """Write exp(-d / usual) of the squared distances d between m rows and n others to `out`. (m, n)

    Of the others these are the columns, and the norms. Where all networks of a space are one, `usual` is 0, and they
    tell nothing apart.
    """
    if not usual > 0:
        out.fill(1.0)
        return
    _product(rows.values * (2.0 / usual), columns, out)
    out -= (rows.norms / usual)[:, None]
    out -= norms / usual
    np.minimum(out, 0.0, out=out)
    np.exp(out, out=out)


def _product(values: Values, columns: Values, out: np.ndarray) -> None:
    if isinstance(values, np.ndarray):
        np.matmul(values, columns, out=out)
    else:
        (values @ columns).toarray(out=out)
