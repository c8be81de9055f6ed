"""Parts of pages: the drawing canvas, pickers, the status strip, corrections, error boundary."""
