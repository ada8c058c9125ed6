"""Not the paper: published ideas, each in a file of its own and off by default.

Which transitions: priorities.py (prioritized replay, Schaul et al. 2016, among candidates), prioritized.py (the same,
exact) on sum_tree.py.

What the last layer says (heads): hl_gauss.py (Farebrother et al. 2024), distributional.py (several outputs per action),
c51.py (Bellemare et al. 2017), quantiles.py (QR-DQN, Dabney et al. 2018a), iqn.py (Dabney et al. 2018b).

How it explores: noisy.py (noisy networks, Fortunato et al. 2018); random_buffers.py says when its noise is drawn.

What is bootstrapped from: munchausen.py (Vieillard et al. 2020).

Fresh weights in the middle of a run: network_reset.py (Nikishin et al. 2022).

What the network sees: mean_frame.py (pixels less their mean).
"""
