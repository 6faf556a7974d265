"""`kvlib grade`: a submission graded from outside.

notebook     a submitted file, read leniently, or the reason why it cannot be graded
released     the notebooks that were handed out, and their exercises
submission   which cell of a submission answers which exercise
process      a process of its own that runs the answers (`child` is its program, `staging` what it can see)
marking      the answers run there, and marked here, where the questions are
report       the marks of a notebook, as a table, as JSON, as a row of CSV
folder       every submission of a folder, also those that could not be read
isolation    what protects on this machine, and what does not
selfcheck    the same for a reader, by nbval, in the reader's own kernel
command      `kvlib grade`

Nothing is imported here: `child` runs where there are no questions.
"""
