"""Many runs, each a process of its own.

In reading order: jobs.py (one job), table.py (the progress table), local.py and on_ray.py (who starts them), cost.py
(the estimate before), study.py (one game, several settings), tether.py (a job ends with its suite).
"""
