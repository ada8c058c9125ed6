"""Many runs, each a process of its own.

In reading order: flags.py, jobs.py (one job), table.py (the progress table), local.py, cluster.py, on_ray.py and
on_slurm.py (who starts them), cost.py (what one job costs), plan.py (what all need), study.py (one game, several
settings), tether.py (a job ends with its suite).
"""
