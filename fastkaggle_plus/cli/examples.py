"""Examples for the help of each command. Tests parse every one."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "list": ("fkp list --json",),
    "new": ("fkp new houses --data DIR", "fkp new birds --data DIR --kind images"),
    "setup": ("fkp setup titanic --live --dest data",),
    "run": ("fkp run titanic", "fkp run houses --data DIR --folds 10"),
    "sweep": (
        "fkp sweep titanic --trials xgboost --trials catboost --repeats 3",
        "fkp sweep houses --max-trials 4 --stop-after 30",
    ),
    "search": ("fkp search houses", "fkp search houses --n-trials 80 --stop-after 30"),
    "board": ("fkp board titanic",),
    "compare": ("fkp compare titanic xgboost catboost",),
    "ensemble": (
        "fkp ensemble titanic xgboost catboost --method rank",
        "fkp ensemble titanic --weights xgboost=0.7,catboost=0.3",
    ),
    "report": ("fkp report titanic --open",),
    "submit": (
        'fkp submit titanic -f submission.csv -m "forest, 5 folds" --live',
        'fkp submit titanic -k OWNER/NAME -v 3 -m "notebook" --live --dry-run',
    ),
    "submissions": ("fkp submissions titanic --live",),
    "leaderboard": ("fkp leaderboard titanic --top 5 --live",),
    "notebook": ("fkp notebook titanic --user OWNER",),
    "push": ("fkp push titanic --wait", "fkp push titanic --live --dry-run"),
    "status": ("fkp status OWNER/NAME --live",),
    "output": ("fkp output OWNER/NAME -p DIR --live",),
    "libs": ("fkp libs --live --dry-run",),
    "archs": ("fkp archs --max-params 6 --min-top1 77 --top 5",),
    "probe": ("fkp probe birds", 'fkp probe birds --archs "convnext_nano,resnet26d" --size 192'),
    "doctor": ("fkp doctor --online",),
    "clean": ("fkp clean titanic",),
    "serve": ("fkp sandbox serve --data DIR --port 8765",),
}
