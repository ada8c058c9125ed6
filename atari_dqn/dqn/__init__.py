"""The paper. Read in this order: trainer, learner, agent, algorithm, losses, exploration, schedules, optim."""
