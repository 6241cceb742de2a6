"""What is on a page, for tests."""

import html
import json
import re
from pathlib import Path


def data_of(page, name):
    """What a page holds for its scripts."""
    text = Path(page).read_text(encoding="utf-8")
    tag = f'<script type="application/json" id="data-{name}">'
    return json.loads(text.split(tag)[1].split("</script>")[0])


def text_of(page):
    """The text of a page, without its scripts and styles."""
    content = page.read_text(encoding="utf-8")
    content = re.sub(r"<(script|style).*?</\1>", "", content, flags=re.S)
    return html.unescape(re.sub(r"<[^>]*>", " ", content))
