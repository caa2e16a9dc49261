"""What promises and appenders raise."""


class PromisingError(Exception):
    """The base of them all."""


class PromisingContextError(PromisingError):
    """Something about the context in which promises are made."""


class NoActiveContextError(PromisingContextError):
    """No context is active."""


class WrongActiveContextError(PromisingContextError, TypeError):
    """A context of another class is active."""


class AppenderError(PromisingError):
    """Something about an appender."""


class AppenderNotOpenError(AppenderError):
    """The appender was not opened yet."""


class AppenderClosedError(AppenderError):
    """The appender was closed before."""


class FunctionNotProvidedError(PromisingError):
    """A promise has nothing that could resolve or stream it."""
