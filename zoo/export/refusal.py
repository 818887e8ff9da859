"""What is said of an export that would not serve."""


class ExportRefused(ValueError):
    """The export holds something that an unmodified TF Serving cannot run or say."""

    @classmethod
    def of(cls, server: str, reasons) -> "ExportRefused":
        """All reasons, a line each."""
        lines = "".join(f"\n  {reason}" for reason in reasons)
        return cls(f"TF Serving {server} could not run this export:{lines}")
