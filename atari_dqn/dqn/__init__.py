"""The paper: deep Q-learning with a replay memory and a target network.

In reading order: trainer.py (the loop for N games), learner.py (what is due, one update), agent.py (acts, saves),
algorithm.py (predict, learn, sync_target), losses.py (the formulas), exploration.py,
opening_actions.py (played whatever the network says), schedules.py, optim.py (the paper's RMSProp), progress.py (scores
and speed), ports.py (what the loop needs of the rooms above), divergence.py (what a run that cannot go on says).
"""
