"""Components of the pages: canvas, pickers, status strip, outage messages, thumbnails."""
