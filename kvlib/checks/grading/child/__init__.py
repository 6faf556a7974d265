"""The program that runs the answers: it holds no question, and answers in JSON alone.

__main__   reads a request a line and answers each with a line
answers    what it does with them: runs a cell, reads a value, calls a function
sandbox    shuts this process in before it runs any of them
namespaces, landlock   the two ways that Linux offers to do so
"""
