"""The life of a run in its folder.

In reading order: train.py, refusals.py, opening.py (its first episodes), summary.py (its first and last words),
display.py (its progress), pace.py (the time left), run.py (what it hands back), monitor.py (evaluations in training),
evaluate.py, games_bar.py (its progress), folder.py (the files of a run), lock.py, resume.py, state.py (what it may
load), results.py (files of an evaluation), logger.py, tensorboard.py, tags.py (what each curve is), event_file.py
(TensorBoard's), wandb_logger.py, machine.py (device, precision), measured.py (what it found, for the next start),
torch_defaults.py, memory.py (does it fit), safety.py (signals, a watchdog), watcher.py (its process), terminal.py
(words), provenance.py (versions, hardware), pretrained.py, network_folder.py, export.py (for other programs),
model_card.py.
"""
