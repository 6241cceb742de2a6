"""A page that is open in a browser."""

SIZES = {"wide": (1280, 900), "phone": (390, 844)}


class Tab:
    """A page that is open, and all that it says and asks for."""

    def __init__(self, browser, path, size=SIZES["wide"], scheme="light"):
        self.page, self.said, self.asked = browser.new_page(), [], []
        self.page.on("console", lambda one: self.said.append(f"{one.type}: {one.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
        self.page.goto(path.as_uri())
        n_charts = self.page.locator("figure.chart").count()
        drawn = f"document.querySelectorAll('[data-drawn]').length === {n_charts}"
        self.page.wait_for_function(drawn)

    def check_quiet(self):
        """Nothing in the console, and no request but for the file itself."""
        assert self.said == []
        assert [url for url in self.asked if not url.startswith("data:")] == self.asked[:1]


def pixels(page, canvas):
    return page.evaluate(f"document.getElementById('{canvas}').toDataURL()")


def column(page, table, name):
    heads = page.locator(f"#{table} thead th")
    k = [heads.nth(i).get_attribute("data-column") for i in range(heads.count())].index(name)
    return page.locator(f"#{table} tbody tr:not([hidden]) td:nth-child({k + 1})").all_inner_texts()
