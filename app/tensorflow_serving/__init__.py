"""TensorFlow Serving's REST form: status, metadata, and predictions by rows and by columns."""
