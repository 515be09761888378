"""Reports a server that code under test could not connect to.

Code that runs without its cache or database would pass, whatever it does with them.
"""

from pytest_supercache.runtime.kernel.active import hearing


def name_unreachable(server: str, error: BaseException) -> None:
    """Note as a hazard that code under test could not connect to ``server``."""
    execution = hearing()
    if execution is not None:
        shown = " ".join(str(error).split())
        execution.controller.leave_control(
            f"the code under test could not connect to {server} ({shown}). Is it running? What "
            "the code does without it says nothing of what it does with it. An error on purpose is "
            "a fault: error_before"
        )
