"""What is done to ONNX graphs after `torch.onnx`: needs onnxscript, so it is imported where a file is written."""
