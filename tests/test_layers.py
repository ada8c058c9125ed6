"""Imports point down: a module imports only from layers strictly below its own."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "atari_dqn"
LAYERS = {
    0: "suite runs video evaluation extensions dqn published storage networks replay cuda_graph networks.convolutions errors networks.histograms runs.watchdog dqn.speedometer config_checks video.gif video.panel published.aggregates "
    "report.parsing report.markup report.scales",
    1: "config types seeding published.scores networks.heads dqn.divergence dqn.exploration networks.weights replay.layout published.curves report.widgets",
    2: "replay.frames video.writers presets dqn.schedules dqn.losses networks.vector dqn.optim dqn.episodes replay.index envs.contract report.read_runs",
    3: "envs.single envs.in_turns networks.nature_cnn extensions.priorities replay.buffer storage.checkpoint runs.folder report.tables",
    4: "storage.frame_store envs.native envs.classic envs.reference dqn.algorithm runs.logger "
    "opening_actions report.csv_files report.curves report.missing report.machines report.formatting",
    5: "runs.wandb_logger envs video.camera dqn.agent storage.saver report.figures report.median_curve",
    6: "evaluation.play dqn.learner runs.machine runs.pretrained report.contents",
    7: "runs.evaluate dqn.trainer runs.results video.best_game report.game_chapters",
    8: "runs.resume suite.study video.record report.chapters",
    9: "runs.train report.page",
    10: "commands suite.jobs report",
    11: "commands.train commands.evaluate commands.video commands.presets commands.ablation "
    "commands.compare_approximators commands.report",
    12: "suite.table suite.cost",
    13: "suite.local suite.on_ray",
    14: "commands.suite",
    15: "cli",
    16: "__main__ suite.tether",
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names.split()}


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """Modules of ours that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "atari_dqn":
            yield from (alias.name for alias in node.names if alias.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("atari_dqn."):
            yield node.module.removeprefix("atari_dqn.")
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("atari_dqn") for alias in node.names)


def test_every_arrow_points_down():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        name = module_name(path)
        if name == "__init__":
            continue
        assert name in LAYER_OF, f"{name} has no layer: add it to LAYERS"
        wrong += [f"{name} -> {other}" for other in imported(path) if LAYER_OF[other] >= LAYER_OF[name]]
    assert not wrong


def test_no_module_outgrows_its_reader():
    long = {path.name: lines for path in PACKAGE.rglob("*.py") if (lines := len(path.read_text().splitlines())) > 320}
    assert not long
