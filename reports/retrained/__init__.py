"""What was trained again: its record, the outcomes of its test images, what each point earned."""
