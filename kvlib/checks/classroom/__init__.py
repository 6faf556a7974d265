"""A class taught with nbgrader: what stands around it, and the plugins by which it hands the marking over.

folder     a course folder and what lies where in it; `make course`
lms        whose file it is, by the names that Canvas and Moodle give the files of a download
mending    a submitted file as nbgrader can read it: the released notebook with the student's cells
ledger     what was received of whom, what was mended, and what could not be read
collecting a download into the folder of submissions
marking    nbgrader's preprocessor that has a submission graded from outside and keeps the scores
late       nbgrader's plugin for the penalty of a late submission
states     where each student stands: graded, to be read by a person, not graded and why, not handed in
export     nbgrader's plugins for grades.csv and the columns of Canvas and Moodle
own        a notebook of its own numbers for each student
actions    what a run of GitHub Actions shows of a grade; static/grade.yml is the workflow
command    `kvlib course`

Nothing is imported here; `folder`, `lms`, `mending` and `actions` do without nbgrader.
"""
