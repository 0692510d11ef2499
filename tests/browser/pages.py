"""The dashboard as a user handles it; every question waits for its answer and none sleeps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

from layouts import ids
from layouts.spans import SPANS

Answer = TypeVar("Answer")
PATIENCE = 60  # seconds; only what never comes takes so long, and a machine may have other work

CHART = f"document.querySelector('#{ids.METRIC_CHART} .js-plotly-plot')"
STANDS_STILL = """
const [target, tell] = arguments, place = () => JSON.stringify(target.getBoundingClientRect()), before = place();
requestAnimationFrame(() => requestAnimationFrame(() => tell(target.isConnected && place() === before)));
"""
GRID = f"dash_ag_grid.getApi('{ids.RANKING_TABLE}')"


@dataclass
class Site:
    browser: webdriver.Chrome
    address: str
    expected: tuple[str, ...] = ()
    """What the console may say in this test, in part."""
    heard: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.browser.get(self.address + path)
        self.until(lambda: "Connecting" not in self.text(f"#{ids.CONNECTION_STATUS}", ""))

    def script(self, text: str, *values: Any) -> Any:
        return self.browser.execute_script(text, *values)

    def until(self, question: Callable[[], Answer], seconds: float = PATIENCE) -> Answer:
        """The first true answer; fails when none came."""
        wait = WebDriverWait(self.browser, seconds, poll_frequency=0.05)
        answer: Answer = wait.until(lambda _browser: question())
        return answer

    def text(self, selector: str, missing: str | None = None) -> str:
        """What is written, and shown, at `selector`."""
        visible = "const e = document.querySelector(arguments[0]); return e && (e.checkVisibility() ? e.innerText : '')"
        found = self.script(visible, selector)
        if found is None:
            assert missing is not None, f"nothing at {selector}"
            return missing
        return str(found)

    def shows(self, selector: str, words: str, seconds: float = PATIENCE) -> None:
        """Wait until `words` can be read at `selector`."""
        try:
            self.until(lambda: words in self.text(selector, ""), seconds)
        except Exception as error:
            raise AssertionError(f"{selector} shows {self.text(selector, '')!r} and not {words!r}") from error

    def lacks(self, selector: str, words: str) -> None:
        self.until(lambda: words not in self.text(selector, ""))

    def click(self, selector: str) -> None:
        """Click on what `selector` finds, once it stands still; the live page may redraw it in the middle, then on what
        stands there now."""

        def clicked() -> bool:
            target = self.script("return document.querySelector(arguments[0])", selector)
            if target is None:
                return False
            try:
                self.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", target)
                if not self.browser.execute_async_script(STANDS_STILL, target):
                    return False
                ActionChains(self.browser).move_to_element(target).click().perform()
            except StaleElementReferenceException:
                return False
            return True

        self.until(clicked)

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def path(self) -> str:
        return str(self.script("return location.pathname"))

    def arrives_at(self, path: str) -> None:
        self.until(lambda: self.path() == path)

    def choose_theme(self, name: str) -> None:
        """Have `light` or `dark` chosen, as if on an earlier visit."""
        self.browser.get(f"{self.address}/healthz")
        self.script("localStorage.setItem('theme', arguments[0])", name)

    def expect(self, *words: str) -> None:
        """The test makes trouble of which the console tells in these words."""
        self.expected += words

    def console(self) -> list[str]:
        """What the browser complained of since the test began, but for what the test expects."""
        self.heard += [entry["message"] for entry in self.browser.get_log("browser")]
        return [message for message in self.heard if not any(words in message for words in self.expected)]


@dataclass
class Table:
    """The ranking, by the row numbers that assistive technology sees (the header is 1)."""

    site: Site

    def wait(self) -> "Table":
        """Until it has rows; below the window's lower edge it draws none."""

        def has_rows() -> bool:
            self.site.script(f"document.querySelector('#{ids.RANKING_TABLE}')?.scrollIntoView({{block: 'nearest'}})")
            return self.cell(2, "pair") != ""

        self.site.until(has_rows)
        return self

    def cell(self, index: int, column: str) -> str:
        selector = f"#{ids.RANKING_TABLE} [aria-rowindex='{index}'] [col-id='{column}']"
        return self.site.text(selector, "")

    def row(self, index: int, *columns: str) -> list[str]:
        return [self.cell(index, column) for column in columns]

    def click(self, index: int, column: str) -> None:
        self.site.click(f"#{ids.RANKING_TABLE} [aria-rowindex='{index}'] [col-id='{column}']")

    def sort_by(self, column: str) -> None:
        self.site.click(f"#{ids.RANKING_TABLE} .ag-header-cell[col-id='{column}'] .ag-header-cell-label")

    def columns(self) -> list[str]:
        return list(self.site.script(f"return {GRID}.getAllDisplayedColumns().map(c => c.getColId())"))

    def search(self, text: str) -> None:
        self.site.press("/")
        self.site.until(lambda: self.site.script("return document.activeElement.id") == ids.RANKING_SEARCH)
        self.site.press(text)

    def count(self) -> int:
        return int(self.site.script(f"return {GRID}.getDisplayedRowCount()"))

    def scrolled(self) -> float:
        return float(self.site.script(f"return {GRID}.getVerticalPixelRange().top"))


@dataclass
class Chart:
    """The chart of a metric's page."""

    site: Site

    def wait(self) -> "Chart":
        self.site.until(lambda: self.site.script(f"return !!({CHART} && {CHART}._fullLayout && {CHART}.data)"))
        return self

    def last_price(self) -> float:
        return float(self.site.script(f"return {CHART}.data[0].y.at(-1)"))

    def points(self) -> int:
        return int(self.site.script(f"return {CHART}.data[0].y.length"))

    def choose(self, span: str) -> None:
        """Press the button of a span, `30 d`, and wait until its chart has come."""
        number = [one.label for one in SPANS.values()].index(span) + 1
        before = self.first_time()
        self.site.click(f"#{ids.METRIC_SPAN} .form-check:nth-child({number}) label")
        self.site.until(lambda: self.first_time() != before)

    def first_time(self) -> str:
        return str(self.site.script(f"return {CHART}.data[0].x[0]"))

    def first_clock(self) -> str:
        """When the first point is, by the viewer's clock."""
        return str(self.site.script(f"return ({CHART}.data[0].text || [])[0]"))

    def legend(self) -> list[str]:
        names = "[...document.querySelectorAll(arguments[0])].map(text => text.textContent)"
        return list(self.site.script(f"return {names}", f"#{ids.METRIC_CHART} .legendtext"))

    def lines(self, trace: int = 1) -> int:
        """Of how many unbroken pieces a trace's line is."""
        selector = f".subplot.xy .scatterlayer .trace:nth-child({trace}) .js-line"
        return int(self.site.script(f"return {CHART}.querySelectorAll('{selector}').length"))

    def range(self, axis: str = "xaxis") -> list[Any]:
        return list(self.site.script(f"return {CHART}._fullLayout.{axis}.range"))

    def drag(self) -> None:
        """Zoom into the middle by the mouse."""
        surface = self.site.script(f"return {CHART}.querySelector('.nsewdrag')")
        width = surface.size["width"]
        mouse = ActionChains(self.site.browser).move_to_element(surface).move_by_offset(-int(width / 5), 0)
        mouse.click_and_hold().move_by_offset(int(width / 10), 0).move_by_offset(int(width / 4), 0).release().perform()
