"""The book's figures: one anywidget a figure, alive with a kernel and without one."""
