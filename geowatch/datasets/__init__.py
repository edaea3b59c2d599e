"""Datasets: image series and labels from kwcoco and its kin, in and out; statistics, splits, simulations."""
