"""Many runs that answer one question: what a part adds (ablation), and what the strategies are worth (scorecard)."""

__all__: list[str] = []
