"""Datasets: files of samples, uploaded once and described."""
