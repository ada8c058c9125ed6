"""The paper: deep Q-learning with a replay memory and a target network.

In reading order: one_page.py (the paper), trainer.py (the same for N environments), turns.py (who plays now),
evaluations.py (when they are due; the best), learner.py (what is due, one update), samplers.py (from which
transitions), agent.py (acts, saves), algorithm.py (predict, learn, sync_target), second_thread.py (an update on two
cores), bellman.py (head and target of a minibatch), parts.py (what of `extensions/` a config asks for), losses.py
(the formulas), exploration.py, schedules.py, optim.py (the paper's RMSProp), progress.py (scores and speed),
metrics.py (the other curves), opening_actions.py (played whatever the network says), ports.py (what the loop needs of
the rooms above), callbacks.py (the caller's own code in the loop), divergence.py (what a run that cannot go on says).
"""
