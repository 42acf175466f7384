"""Text made safe for HTML, and values made safe for scripts."""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup, escape

__all__ = ["script_json", "with_breaks", "with_code"]

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def script_json(value: Any) -> Markup:
    """Return a value as JSON in ASCII without `<`, `>` and `&`, so that no string in it ends a `<script>`.

    Line separators U+2028 and U+2029 are escaped as all that is not ASCII is.

    Raises:
        ValueError: The value holds NaN or an infinity, which JSON does not know.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_ESCAPES))  # noqa: S704 - escaped just now


def with_code(text: str) -> Markup:
    """Return a text as HTML: escaped, code where it has backticks, numbers and units kept on one line."""
    escaped = re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"(?<=\d) (?=[kMGT]\b|[%×]|points)", "\u00a0", escaped))  # noqa: S704 - escaped


def with_breaks(text: str) -> Markup:
    """Return a text as HTML: escaped, with leave to break a line after each `/` of a path."""
    return Markup(str(escape(text)).replace("/", "/<wbr>"))  # noqa: S704 - escaped
