"""Wrong answers that real students give, and what each must be told: a file per chapter, `01.py` to `10.py`.

Written down before looking at what the question knows: a wrong unit, a factor forgotten, a ratio turned
round, one too many. `tests/test_wrong_answers.py` tries all of them, and counts how many are named.

    WRONG = [
        ("02-seventy", 262.144, "You count the query heads"),   # question, answer, in the feedback
        ("02-forgotten", lambda claim, factors: ["T"], None),    # a mistake that nothing could name
        ("02-steps", {"all": 1, "one": 2}, "the batch", 2),     # earns 2 points for what else is right
    ]
    RIGHT = [("02-seventy", "32.8 GB")]                         # right in an odd form: full points

WRONG  rows of (question, answer, said, points). `said` is a part of the sentence that names the mistake, or
       None where the reader gets only a counterexample, or hears that a number is too large: such a row is
       counted as not named. `points`, 0 where left out, is exactly what the answer earns.
RIGHT  rows of (question, answer).

A chapter with more rows than a file holds has more files: `05_classes.py` beside `05.py`.
"""
