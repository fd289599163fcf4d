"""`fkp sweep --on kaggle` plans first, and sends nothing without consent."""

from .toy import count_rows, fkp, last_json

SWEEP = ("sweep", "toy", "--bundles", "bundles", "--on", "kaggle")


def test_a_dry_run_shows_kernels_minutes_and_hours(place):
    plan = last_json(fkp(*SWEEP, "--gpu", "--dry-run", "--json", cwd=place))
    assert plan["kernel 1"].endswith("tree") and plan["sent"] is False
    assert plan["hours left"].startswith("30.00 before")
    assert plan["datasets"] == "kaggler/library-fastkaggle-plus"
    assert count_rows(place, "select count(*) from kernel_versions") == 0
    assert "dry run: nothing was sent" in fkp(*SWEEP, "--dry-run", cwd=place).stderr.lower()


def test_a_live_sweep_asks_first(place, real):
    done = fkp("sweep", "toy", "--on", "kaggle", "--live", "--cpu", cwd=place)
    assert done.returncode and "--yes" in done.stderr
    shown = fkp("sweep", "toy", "--on", "kaggle", "--live", "--cpu", "--dry-run", cwd=place)
    assert shown.returncode == 0, shown.stderr
    assert "run 1 kernel, on the real Kaggle" in shown.stdout
    assert "machine     CPU" in shown.stdout
    assert count_rows(real.folder, "select count(*) from kernel_versions") == 0
