"""The life of a run in its folder. Read in this order: train, evaluate, folder, resume, results, logger, wandb_logger, machine, watchdog, pretrained."""
