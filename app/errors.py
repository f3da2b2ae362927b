"""The one tree of errors. Each says whose fault it is and what to do next.

    PatchcordError
    ├── SettingsError    the operator's: a setting or a file is wrong; the text says what, where and how to mend it
    ├── CallerError      the caller's or their carrier's: a message that no telephone company sends
    └── VendorError      a vendor's: refused, broke, went mute; says whether another try can help

An assertion means a bug of ours. Into the core a failure comes as an event, never as an exception.
"""


class PatchcordError(Exception):
    """Never raised itself: choose the one whose fault it is."""


class SettingsError(PatchcordError):
    """Something the operator wrote is wrong."""


class CallerError(PatchcordError):
    """What came in over the telephone line makes no sense."""


class VendorError(PatchcordError):
    """A vendor failed us. `again` says whether the same request may work if it is made once more."""

    def __init__(self, vendor: str, what: str, *, again: bool = True) -> None:
        super().__init__(f"{vendor}: {what}")
        self.vendor = vendor
        self.what = what
        self.again = again
