"""Fitting: the regression against scikit-learn, calibration, and weights kept in a file."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fathom.data_catalog.simulation.loading import load_scenario
from fathom.detectors import LayeringConfig, SpoofingConfig, Surveillance, SurveillanceConfig
from fathom.detectors.book import fitted
from fathom.detectors.book.alerts import AlertKind
from fathom.detectors.book.evidence import ALONE, LAYERING, SPOOFING
from fathom.detectors.book.scores import NEVER, Tree
from fathom.studies.benchmark.fit import candidates_of, logistic, odds_of
from fathom.studies.benchmark.labels import Market
from fathom.studies.benchmark.markets import SimulatedStreams
from fathom.studies.benchmark.report import BUDGET, report, tune


def test_logistic_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(4_000), rng.normal(size=(4_000, 3))])
    y = rng.random(4_000) < 1 / (1 + np.exp(-(x @ [-2.0, 1.0, 0.0, -0.5])))
    weights = rng.uniform(0.5, 3.0, 4_000)
    ridge = 30.0
    known = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=1000).fit(x[:, 1:], y, sample_weight=weights)
    found = logistic(x, y, weights, ridge)
    np.testing.assert_allclose(found[1:], known.coef_[0], atol=1e-7)
    assert found[0] == pytest.approx(float(known.intercept_[0]), abs=1e-7)


@pytest.fixture(scope="module")
def markets(project: Path) -> list[Market]:
    scenario = load_scenario(project / "configs" / "simulation" / "manipulated.toml", ["duration_secs=300"])
    return list(SimulatedStreams(scenario, "manipulated", 300.0).markets([51, 52, 53]))


def test_tuned_on_some_markets_it_finds_manipulation_in_others(markets: list[Market]) -> None:
    tuned = tune(lambda: markets[:2], None, SurveillanceConfig())
    assert tuned.config.spoofing.weights != SpoofingConfig().weights
    result = report("simulated", ["two"], markets[2:], [], tuned, BUDGET)
    both = result.kinds[:2]
    assert sum(k.episodes for k in both) >= 3
    assert result.pooled_recall[1] >= 0.5
    for kind in both:
        if kind.episodes:
            assert kind.areas["detector"] > 10 * kind.areas["textbook"]
        assert kind.carried.honest_large[0] < 0.1
        assert sum(every for _, every in kind.tables["evidence"].values()) == kind.episodes


def test_scores_are_calibrated_where_they_were_fitted(markets: list[Market]) -> None:
    config = tune(lambda: markets[:2], None, SurveillanceConfig()).config
    said, true = 0.0, 0
    for market in markets[:2]:
        found = candidates_of(market, config)
        _, evidence, labels = found.of(AlertKind.SPOOFING)
        actor = np.where(labels >= 0, market.truth["kind"][labels], 0)
        counted = ~((actor > 0) & (actor <= 3) & (actor != AlertKind.SPOOFING))
        near = evidence[:, SPOOFING.index("distance")] < np.log1p(200.0)
        score = 1 / (1 + np.exp(-odds_of(AlertKind.SPOOFING, config, evidence)))
        said += float(score[counted & near].sum())
        true += int((actor[counted & near] == AlertKind.SPOOFING).sum())
    # Natural orders are sampled in the fit, so that the sum agrees nearly, not exactly.
    assert said == pytest.approx(true, rel=0.2)


def test_fitted_weights_survive_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)

    def some(names: tuple[str, ...]) -> tuple[float, ...]:
        return tuple(rng.normal(size=len(names)).round(4).tolist())

    trees = (Tree(("size", "benefit", "size"), (0.5, 1.25, NEVER), (-0.1, 0.2, 0.0, 1e-4)),) * 2
    config = SurveillanceConfig(
        spoofing=SpoofingConfig(threshold=0.12, weights=some(SPOOFING), alone_weights=some(ALONE), trees=trees),
        layering=LayeringConfig(threshold=0.34, weights=some(LAYERING), trees=()),
    )
    path = tmp_path / "fitted.toml"
    fitted.write_fitted(path, config, "markets of a test")
    assert [p.name for p in tmp_path.iterdir()] == ["fitted.toml"]
    assert msgspec.structs.replace(SurveillanceConfig(fitted=str(path)), fitted="") == config
    mine = SpoofingConfig(threshold=0.77)
    named = msgspec.convert({"fitted": str(path), "spoofing": {"threshold": 0.77}}, SurveillanceConfig)
    assert named.spoofing == msgspec.structs.replace(config.spoofing, threshold=mine.threshold)
    assert msgspec.convert(msgspec.to_builtins(named), SurveillanceConfig) == named
    monkeypatch.setattr(fitted, "_FILE", path)
    fitted._fitted.cache_clear()
    try:
        assert fitted.fitted_threshold("spoofing") == 0.12
        assert fitted.fitted_threshold("layering") == 0.34
        assert fitted.fitted_weights("spoofing", "weights", SPOOFING) == config.spoofing.weights
        assert fitted.fitted_weights("spoofing", "alone_weights", ALONE) == (config.spoofing.alone_weights)
        assert fitted.fitted_weights("layering", "weights", LAYERING) == config.layering.weights
        assert fitted.fitted_weights("layering", "weights", ("no such evidence",)) == (0.0,)
        assert fitted.fitted_trees("spoofing") == trees
        assert fitted.fitted_trees("layering") == ()
    finally:
        monkeypatch.undo()
        fitted._fitted.cache_clear()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "Expected a fitted file at .*, was No such file"),
        ("threshold", "Expected TOML in .*, was something else"),
        ("[spoofing]\nthreshold = 0.5", "Expected a fitted file in .*, was one that lacks 'alone_weights'"),
        (
            "[spoofing]\nthreshold = 0.5\n[spoofing.alone_weights]\nsise = 1.0",
            "Expected all evidence and no other in .*, was off by .*sise",
        ),
    ],
)
def test_a_wrong_fitted_file_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.convert({"fitted": str(path)}, SurveillanceConfig)


def test_a_wrong_number_of_weights_is_refused() -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match="Expected 17 alone_weights"):
        SpoofingConfig(alone_weights=(1.0,))


def test_the_benchmark_scores_what_the_detectors_say(markets: list[Market]) -> None:
    low = SurveillanceConfig(spoofing=SpoofingConfig(threshold=0.05), layering=LayeringConfig(threshold=0.05))
    alerts = Surveillance(msgspec.structs.replace(low, depth=markets[0].depth)).update(markets[0].rows)
    found = candidates_of(markets[0], low)
    for kind in (AlertKind.SPOOFING, AlertKind.LAYERING):
        log, evidence, _ = found.of(kind)
        confidence = 1 / (1 + np.exp(-odds_of(kind, low, evidence)))
        told = {(int(row["message"]), int(row["side"])): 0.0 for row in log[confidence >= 0.05]}
        for row, value in zip(log, confidence.tolist(), strict=True):
            if value >= 0.05:
                key = int(row["message"]), int(row["side"])
                told[key] = max(value, told[key])
        mine = alerts[alerts["kind"] == kind]
        assert len(mine) >= 10
        for alert in mine:
            assert alert["confidence"] == pytest.approx(told.pop((alert["message"], alert["side"])), rel=1e-9)
        # What is left of spoofing came together with layering, which is told alone.
        layered = alerts[alerts["kind"] == AlertKind.LAYERING]
        assert told.keys() <= set(zip(layered["message"].tolist(), layered["side"].tolist(), strict=True))
