"""The life of a run in its folder.

In reading order: train.py, evaluate.py, folder.py (the files of a run), resume.py, results.py (files of an
evaluation), logger.py, wandb_logger.py, machine.py (device, precision, memory), watchdog.py, pretrained.py.
"""
