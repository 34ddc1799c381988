"""Predictions of trained models, by ONNX Runtime in the API process."""
